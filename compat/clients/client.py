"""The official Python clients, each case of them; prints a JSON object a line. Arguments: the gateway's URL, and `translated` if the
servers behind it speak the other format."""
import json
import sys

import anthropic
import openai

URL = sys.argv[1]
TOOLS = {
    'get_weather': {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']},
    'get_time': {'type': 'object', 'properties': {'zone': {'type': 'string'}}, 'required': ['zone']},
}
PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
ASK = 'use get_weather and get_time for Paris'


def expect(what, is_so):
    if not is_so:
        raise AssertionError(f'not so: {what}')


def refused(call, error, status):
    try:
        call()
    except error as e:
        expect(f'status {status}, not {e.status_code}', e.status_code == status)
        return e
    raise AssertionError(f'{error.__name__} was expected')


class Chat:
    name = 'openai chat'
    tools = [{'type': 'function', 'function': {'name': n, 'parameters': s}} for n, s in TOOLS.items()]

    def __init__(self):
        self.client = openai.OpenAI(base_url=f'{URL}/v1', api_key='key-of-a-client', max_retries=0)

    def ask(self, text, model='sample', **more):
        return self.client.chat.completions.create(model=model, messages=[{'role': 'user', 'content': text}], **more)

    def whole(self):
        answer = self.ask('hello')
        expect('text', answer.choices[0].message.content == 'You said: hello')
        expect('usage', answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0)

    def streamed(self):
        chunks = list(self.ask('hello you', stream=True))
        expect('text', ''.join(c.choices[0].delta.content or '' for c in chunks if c.choices) == 'You said: hello you')
        expect('no usage that was not asked for', all(c.usage is None and c.choices for c in chunks))

    def streamed_usage(self):
        chunks = list(self.ask('hello', stream=True, stream_options={'include_usage': True}))
        expect('usage comes last', chunks[-1].usage.completion_tokens == 3 and not chunks[-1].choices)

    def tool(self):
        calls = self.ask(ASK, tools=self.tools, parallel_tool_calls=False).choices[0].message.tool_calls
        expect('one call', [c.function.name for c in calls] == ['get_weather'])
        expect('arguments', json.loads(calls[0].function.arguments) == {'city': 'Paris'})

    def parallel_tools(self):
        calls = {}
        for chunk in self.ask(ASK, tools=self.tools, stream=True):
            for part in chunk.choices[0].delta.tool_calls or []:
                calls.setdefault(part.index, []).append(part.function.arguments)
        expect('two calls', [json.loads(''.join(parts)) for parts in calls.values()] == [{'city': 'Paris'}, {'zone': 'Paris'}])

    def tool_result(self):
        first = self.ask(ASK, tools=self.tools).choices[0].message
        turns = [{'role': 'user', 'content': ASK}, first.model_dump(exclude_none=True)]
        turns += [{'role': 'tool', 'tool_call_id': c.id, 'content': 'rain'} for c in first.tool_calls]
        answer = self.client.chat.completions.create(model='sample', messages=turns, tools=self.tools)
        expect('text', answer.choices[0].message.content == 'The tool says: rain')

    def choices(self):
        expect('three', [c.index for c in self.ask('hello', n=3).choices] == [0, 1, 2])

    def image(self):
        picture = {'type': 'image_url', 'image_url': {'url': f'data:image/png;base64,{PIXEL}'}}
        content = [{'type': 'text', 'text': 'hello'}, picture]
        expect('text', self.ask(content).choices[0].message.content == 'You said: hello')

    def bad_request(self):
        refused(lambda: self.ask('hello', extra_body={'messages': 'none'}), openai.BadRequestError, 400)

    def busy(self):
        e = refused(lambda: self.ask('hello', model='sample+status=429+retry-after=7'), openai.RateLimitError, 429)
        expect('Retry-After', e.response.headers['retry-after'] == '7')

    def failing(self):
        refused(lambda: self.ask('hello', model='sample+status=500'), openai.InternalServerError, 500)

    def broken_stream(self):
        try:
            list(self.ask('hello you', model='sample+cut=2', stream=True))
        except Exception:  # which, differs by version
            return
        raise AssertionError('a broken stream ended like a whole one')


class Responses:
    name = 'openai responses'
    tools = [{'type': 'function', 'name': n, 'parameters': s, 'strict': False} for n, s in TOOLS.items()]

    def __init__(self):
        self.client = openai.OpenAI(base_url=f'{URL}/v1', api_key='key-of-a-client', max_retries=0)

    def ask(self, text, model='sample', **more):
        return self.client.responses.create(model=model, input=text, **more)

    def whole(self):
        answer = self.ask('hello')
        expect('text', answer.output_text == 'You said: hello')
        expect('usage', answer.usage.total_tokens > 0)

    def streamed(self):
        with self.client.responses.stream(model='sample', input='hello you') as stream:
            text = ''.join(e.delta for e in stream if e.type == 'response.output_text.delta')
            final = stream.get_final_response()
        expect('text', text == final.output_text == 'You said: hello you')

    def tool(self):
        calls = [i for i in self.ask(ASK, tools=self.tools, parallel_tool_calls=False).output if i.type == 'function_call']
        expect('one call', [(c.name, json.loads(c.arguments)) for c in calls] == [('get_weather', {'city': 'Paris'})])

    def parallel_tools(self):
        with self.client.responses.stream(model='sample', input=ASK, tools=self.tools) as stream:
            calls = [i for i in stream.get_final_response().output if i.type == 'function_call']
        expect('two calls', [c.name for c in calls] == ['get_weather', 'get_time'])

    def tool_result(self):
        turns = [{'role': 'user', 'content': ASK}]
        for call in self.ask(ASK, tools=self.tools).output:
            turns += [call.model_dump(), {'type': 'function_call_output', 'call_id': call.call_id, 'output': 'rain'}]
        expect('text', self.ask(turns).output_text == 'The tool says: rain')

    def reasoning(self):
        answer = self.ask('hello', reasoning={'effort': 'low'})
        expect('reasoning first', [i.type for i in answer.output] == ['reasoning', 'message'])

    def bad_request(self):
        refused(lambda: self.ask('hello', extra_body={'input': 7}), openai.BadRequestError, 400)

    def busy(self):
        refused(lambda: self.ask('hello', model='sample+status=429'), openai.RateLimitError, 429)

    def failing(self):
        refused(lambda: self.ask('hello', model='sample+status=500'), openai.InternalServerError, 500)


class Messages:
    name = 'anthropic'
    tools = [{'name': n, 'input_schema': s} for n, s in TOOLS.items()]

    def __init__(self):
        self.client = anthropic.Anthropic(base_url=URL, api_key='key-of-a-client', max_retries=0)

    def ask(self, text, model='sample', max_tokens=2048, **more):
        turns = text if isinstance(text, list) else [{'role': 'user', 'content': text}]
        return self.client.messages.create(model=model, max_tokens=max_tokens, messages=turns, **more)

    def whole(self):
        answer = self.ask('hello')
        expect('text', answer.content[0].text == 'You said: hello')
        expect('usage', answer.usage.input_tokens > 0 and answer.usage.output_tokens == 3)

    def streamed(self):
        with self.client.messages.stream(model='sample', max_tokens=99, messages=[{'role': 'user', 'content': 'hello you'}]) as stream:
            text, final = ''.join(stream.text_stream), stream.get_final_message()
        expect('text', text == final.content[0].text == 'You said: hello you')
        expect('usage', final.usage.output_tokens == 4)

    def tool(self):
        one = {'type': 'auto', 'disable_parallel_tool_use': True}
        uses = [b for b in self.ask(ASK, tools=self.tools, tool_choice=one).content if b.type == 'tool_use']
        expect('one call', [(u.name, u.input) for u in uses] == [('get_weather', {'city': 'Paris'})])

    def parallel_tools(self):
        turns = [{'role': 'user', 'content': ASK}]
        with self.client.messages.stream(model='sample', max_tokens=99, messages=turns, tools=self.tools) as stream:
            uses = [b for b in stream.get_final_message().content if b.type == 'tool_use']
        expect('two calls', [u.input for u in uses] == [{'city': 'Paris'}, {'zone': 'Paris'}])

    def tool_result(self):
        first = self.ask(ASK, tools=self.tools)
        results = [{'type': 'tool_result', 'tool_use_id': b.id, 'content': 'rain'} for b in first.content]
        turns = [{'role': 'user', 'content': ASK}, {'role': 'assistant', 'content': first.content}, {'role': 'user', 'content': results}]
        expect('text', self.ask(turns, tools=self.tools).content[0].text == 'The tool says: rain')

    def reasoning(self):
        answer = self.ask('hello', thinking={'type': 'enabled', 'budget_tokens': 1024})
        expect('signed thinking first', [b.type for b in answer.content] == ['thinking', 'text'] and answer.content[0].signature)

    def image(self):
        picture = {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': PIXEL}}
        turns = [{'role': 'user', 'content': [{'type': 'text', 'text': 'hello'}, picture]}]
        expect('text', self.ask(turns).content[0].text == 'You said: hello')

    def bad_request(self):
        refused(lambda: self.ask('hello', extra_body={'messages': 'none'}), anthropic.BadRequestError, 400)

    def busy(self):
        e = refused(lambda: self.ask('hello', model='sample+status=429+retry-after=7'), anthropic.RateLimitError, 429)
        expect('Retry-After', e.response.headers['retry-after'] == '7')

    def failing(self):
        refused(lambda: self.ask('hello', model='sample+overloaded'), anthropic.InternalServerError, 529)


class ChatToMessages(Chat):
    name = 'chat→messages'

    def choices(self):
        e = refused(lambda: self.ask('hello', n=3), openai.BadRequestError, 400)
        expect('the parameter is named', e.param == 'n')

    def failing(self):
        refused(lambda: self.ask('hello', model='sample+overloaded'), openai.InternalServerError, 503)

    def reasoning(self):
        said = self.ask('hello', reasoning_effort='low').choices[0].message.model_dump(exclude_none=True)
        expect('signed thoughts', said['thinking_blocks'][0]['signature'] and said['reasoning_content'])
        turns = [{'role': 'user', 'content': 'hello'}, said, {'role': 'user', 'content': 'go on'}]
        answer = self.client.chat.completions.create(model='sample+strict', messages=turns)
        expect('they are taken back', answer.choices[0].message.content == 'You said: go on')

    def dropped(self):
        create = self.client.chat.completions.with_raw_response.create
        answer = create(model='sample+strict', messages=[{'role': 'user', 'content': 'hello'}], seed=7, user='ann')
        expect('what is dropped is told', answer.headers['x-trilithon-dropped'] == 'seed')


class MessagesToChat(Messages):
    name = 'messages→chat'

    def reasoning(self):
        answer = self.ask('hello', thinking={'type': 'enabled', 'budget_tokens': 1024})
        expect('thinking first', [b.type for b in answer.content] == ['thinking', 'text'])

    def broken_stream(self):
        try:
            with self.client.messages.stream(model='sample+cut=2', max_tokens=99, messages=[{'role': 'user', 'content': 'hello you'}]) as stream:
                stream.get_final_message()
        except anthropic.APIError:
            return
        raise AssertionError('a broken stream ended like a whole one')

    def dropped(self):
        create = self.client.messages.with_raw_response.create
        answer = create(model='sample+strict', max_tokens=99, messages=[{'role': 'user', 'content': 'hello'}], extra_body={'top_k': 7})
        expect('what is dropped is told', answer.headers['x-trilithon-dropped'] == 'top_k')


def main():
    kinds = (ChatToMessages, MessagesToChat) if 'translated' in sys.argv[2:] else (Chat, Responses, Messages)
    for kind in kinds:
        tried = kind()
        names = dict.fromkeys(name for one in reversed(kind.__mro__) for name in vars(one))
        cases = [name for name in names if callable(getattr(kind, name)) and name != 'ask' and not name.startswith('_')]
        for case in cases:
            result = {'client': f'python {kind.name}', 'case': case.replace('_', ' '), 'right': True, 'why': ''}
            try:
                getattr(tried, case)()
            except Exception as e:  # whatever goes wrong is the result
                result.update(right=False, why=f'{type(e).__name__}: {e}'[:500])
            print(json.dumps(result))


main()
