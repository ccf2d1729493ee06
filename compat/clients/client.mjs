// The official JavaScript clients, each case of them; prints a JSON object a line. Arguments: the gateway's URL, and `translated` if
// the servers behind it speak the other format.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import assert from 'node:assert/strict';

const url = process.argv[2];
const schemas = {
    get_weather: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    get_time: { type: 'object', properties: { zone: { type: 'string' } }, required: ['zone'] },
};
const named = (form) => Object.entries(schemas).map(([name, schema]) => form(name, schema));
const ask = 'use get_weather and get_time for Paris';
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const user = (content) => [{ role: 'user', content }];
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key-of-a-client', maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey: 'key-of-a-client', maxRetries: 0 });

async function all(stream) {
    const items = [];
    for await (const item of await stream) items.push(item);
    return items;
}

async function refused(call, kind, status) {
    await assert.rejects(call, (e) => e instanceof kind && e.status === status);
}

const chatTools = named((name, parameters) => ({ type: 'function', function: { name, parameters } }));
const chat = (more) => openai.chat.completions.create({ model: 'sample', messages: user('hello'), ...more });
const chatCases = {
    async whole() {
        const answer = await chat();
        assert.equal(answer.choices[0].message.content, 'You said: hello');
        assert.ok(answer.usage.total_tokens > 0);
    },
    async streamed() {
        const chunks = await all(chat({ stream: true }));
        assert.equal(chunks.map((c) => c.choices[0].delta.content ?? '').join(''), 'You said: hello');
        assert.ok(chunks.every((c) => !c.usage));
    },
    async 'streamed usage'() {
        const chunks = await all(chat({ stream: true, stream_options: { include_usage: true } }));
        assert.equal(chunks.at(-1).usage.completion_tokens, 3);
    },
    async tool() {
        const answer = await chat({ messages: user(ask), tools: chatTools, parallel_tool_calls: false });
        const calls = answer.choices[0].message.tool_calls;
        assert.deepEqual(calls.map((c) => [c.function.name, c.function.arguments]), [['get_weather', '{"city":"Paris"}']]);
    },
    async 'parallel tools'() {
        const stream = openai.chat.completions.stream({ model: 'sample', messages: user(ask), tools: chatTools });
        const { message } = (await stream.finalChatCompletion()).choices[0];
        assert.deepEqual(message.tool_calls.map((c) => c.function.name), ['get_weather', 'get_time']);
    },
    async 'tool result'() {
        const { message } = (await chat({ messages: user(ask), tools: chatTools })).choices[0];
        const results = message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: 'rain' }));
        const answer = await chat({ messages: [...user(ask), message, ...results] });
        assert.equal(answer.choices[0].message.content, 'The tool says: rain');
    },
    choices: async () => assert.equal((await chat({ n: 3 })).choices.length, 3),
    async image() {
        const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}` } };
        const answer = await chat({ messages: user([{ type: 'text', text: 'hello' }, picture]) });
        assert.equal(answer.choices[0].message.content, 'You said: hello');
    },
    'bad request': () => refused(chat({ messages: 'none' }), OpenAI.BadRequestError, 400),
    busy: () => refused(chat({ model: 'sample+status=429' }), OpenAI.RateLimitError, 429),
    failing: () => refused(chat({ model: 'sample+status=500' }), OpenAI.InternalServerError, 500),
    'broken stream': () => assert.rejects(all(chat({ model: 'sample+cut=2', stream: true }))),
};

const responseTools = named((name, parameters) => ({ type: 'function', name, parameters, strict: false }));
const respond = (more) => openai.responses.create({ model: 'sample', input: 'hello', ...more });
const responsesCases = {
    async whole() {
        const answer = await respond();
        assert.equal(answer.output_text, 'You said: hello');
        assert.ok(answer.usage.total_tokens > 0);
    },
    async streamed() {
        const events = await all(respond({ stream: true }));
        const text = events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join('');
        assert.equal(text, 'You said: hello');
        assert.equal(events.at(-1).type, 'response.completed');
    },
    async tool() {
        const { output } = await respond({ input: ask, tools: responseTools, parallel_tool_calls: false });
        assert.deepEqual(output.map((i) => [i.name, i.arguments]), [['get_weather', '{"city":"Paris"}']]);
    },
    async 'parallel tools'() {
        const events = await all(respond({ input: ask, tools: responseTools, stream: true }));
        const { output } = events.at(-1).response;
        assert.deepEqual(output.map((i) => i.name), ['get_weather', 'get_time']);
    },
    async 'tool result'() {
        const { output } = await respond({ input: ask, tools: responseTools });
        const results = output.map((i) => ({ type: 'function_call_output', call_id: i.call_id, output: 'rain' }));
        assert.equal((await respond({ input: [...user(ask), ...output, ...results] })).output_text, 'The tool says: rain');
    },
    async reasoning() {
        const { output } = await respond({ reasoning: { effort: 'low' } });
        assert.deepEqual(output.map((i) => i.type), ['reasoning', 'message']);
    },
    'bad request': () => refused(respond({ input: 7 }), OpenAI.BadRequestError, 400),
    busy: () => refused(respond({ model: 'sample+status=429' }), OpenAI.RateLimitError, 429),
    failing: () => refused(respond({ model: 'sample+status=500' }), OpenAI.InternalServerError, 500),
};

const messageTools = named((name, input_schema) => ({ name, input_schema }));
const asked = (more) => ({ model: 'sample', max_tokens: 2048, messages: user('hello'), ...more });
const send = (more) => anthropic.messages.create(asked(more));
const messagesCases = {
    async whole() {
        const answer = await send();
        assert.equal(answer.content[0].text, 'You said: hello');
        assert.equal(answer.usage.output_tokens, 3);
    },
    async streamed() {
        const final = await anthropic.messages.stream(asked()).finalMessage();
        assert.equal(final.content[0].text, 'You said: hello');
        assert.equal(final.usage.output_tokens, 3);
    },
    async tool() {
        const tool_choice = { type: 'auto', disable_parallel_tool_use: true };
        const { content } = await send({ messages: user(ask), tools: messageTools, tool_choice });
        assert.deepEqual(content.map((b) => [b.name, b.input]), [['get_weather', { city: 'Paris' }]]);
    },
    async 'parallel tools'() {
        const final = await anthropic.messages.stream(asked({ messages: user(ask), tools: messageTools })).finalMessage();
        assert.deepEqual(final.content.map((b) => b.input), [{ city: 'Paris' }, { zone: 'Paris' }]);
    },
    async 'tool result'() {
        const { content } = await send({ messages: user(ask), tools: messageTools });
        const results = content.map((b) => ({ type: 'tool_result', tool_use_id: b.id, content: 'rain' }));
        const answer = await send({ messages: [...user(ask), { role: 'assistant', content }, ...user(results)], tools: messageTools });
        assert.equal(answer.content[0].text, 'The tool says: rain');
    },
    async reasoning() {
        const { content } = await send({ thinking: { type: 'enabled', budget_tokens: 1024 } });
        assert.deepEqual(content.map((b) => b.type), ['thinking', 'text']);
    },
    async image() {
        const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: pixel } };
        const { content } = await send({ messages: user([{ type: 'text', text: 'hello' }, picture]) });
        assert.equal(content[0].text, 'You said: hello');
    },
    'bad request': () => refused(send({ messages: 'none' }), Anthropic.BadRequestError, 400),
    busy: () => refused(send({ model: 'sample+status=429' }), Anthropic.RateLimitError, 429),
    failing: () => refused(send({ model: 'sample+overloaded' }), Anthropic.InternalServerError, 529),
};

const toMessagesCases = {
    ...chatCases,
    async choices() {
        await assert.rejects(chat({ n: 3 }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'n');
    },
    failing: () => refused(chat({ model: 'sample+overloaded' }), OpenAI.InternalServerError, 503),
    async reasoning() {
        const stream = openai.chat.completions.stream({ model: 'sample', messages: user('hello'), reasoning_effort: 'low' });
        const { message } = (await stream.finalChatCompletion()).choices[0];
        assert.ok(message.thinking_blocks[0].thinking && message.thinking_blocks[0].signature);
        const answer = await chat({ model: 'sample+strict', messages: [...user('hello'), message, ...user('go on')] });
        assert.equal(answer.choices[0].message.content, 'You said: go on');
    },
    async dropped() {
        const { response } = await chat({ model: 'sample+strict', seed: 7, user: 'ann' }).withResponse();
        assert.equal(response.headers.get('x-trilithon-dropped'), 'seed');
    },
};
const toChatCases = {
    ...messagesCases,
    async reasoning() {
        const { content } = await send({ thinking: { type: 'enabled', budget_tokens: 1024 } });
        assert.deepEqual(content.map((b) => b.type), ['thinking', 'text']);
    },
    'broken stream': () => assert.rejects(anthropic.messages.stream(asked({ model: 'sample+cut=2' })).finalMessage()),
    async dropped() {
        const { response } = await send({ model: 'sample+strict', top_k: 7 }).withResponse();
        assert.equal(response.headers.get('x-trilithon-dropped'), 'top_k');
    },
};

const clients = process.argv[3] === 'translated'
    ? { 'chat→messages': toMessagesCases, 'messages→chat': toChatCases }
    : { 'openai chat': chatCases, 'openai responses': responsesCases, anthropic: messagesCases };
for (const [name, cases] of Object.entries(clients)) {
    for (const [title, run] of Object.entries(cases)) {
        const result = { client: `node ${name}`, case: title, right: true, why: '' };
        try {
            await run();
        } catch (e) {
            Object.assign(result, { right: false, why: `${e.name}: ${e.message}`.slice(0, 500) });
        }
        console.log(JSON.stringify(result));
    }
}
