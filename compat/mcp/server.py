"""A server on the official Python SDK with the tools, resources and prompts that the conformance suite asks for, in both eras.

    server.py PORT"""
import asyncio
import base64
import sys
from typing import Annotated

from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (AudioContent, Completion, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult, ElicitRequest,
                       ElicitRequestFormParams, ElicitResult, EmbeddedResource, EmptyResult, ImageContent, InputRequiredResult,
                       ListRootsRequest, ListRootsResult, SamplingMessage, SetLevelRequestParams, SubscribeRequestParams, TextContent, TextResourceContents,
                       UnsubscribeRequestParams)
from pydantic import BaseModel, Field

PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA='
server = MCPServer('conformance-fixture')


class Events(EventStore):
    """What streams said, for those who take them up again."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        seen = int(last_event_id)
        stream = self.events[seen - 1][0] if 0 < seen <= len(self.events) else None
        for number, (of, message) in enumerate(self.events[seen:], seen + 1):
            if stream is not None and of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def tool(function):
    return server.tool(description=f'The fixture {function.__name__}')(function)


def prompt(function):
    return server.prompt(description=f'The fixture {function.__name__}')(function)


def text(words):
    return TextContent(type='text', text=words)


def image():
    return ImageContent(type='image', data=PIXEL, mime_type='image/png')


def embedded(uri, kind, words):
    return EmbeddedResource(type='resource', resource=TextResourceContents(uri=uri, mime_type=kind, text=words))


@tool
def test_simple_text() -> str:
    return 'This is a simple text response for testing.'


@tool
def secret_tool() -> str:
    return 'a secret'


@server.tool(description='Says it backwards, like a hidden canary')
def backwards(words: str) -> str:
    return words[::-1]


@tool
def in_region(region: Annotated[str, Field(json_schema_extra={'x-mcp-header': 'Region'})]) -> str:
    return f'in {region}'


@tool
def test_image_content() -> list[ImageContent]:
    return [image()]


@tool
def test_audio_content() -> list[AudioContent]:
    return [AudioContent(type='audio', data=SILENCE, mime_type='audio/wav')]


@tool
def test_embedded_resource() -> list[EmbeddedResource]:
    return [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')]


@tool
def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    mixed = embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')
    return [text('Multiple content types test:'), image(), mixed]


@tool
def test_error_handling() -> str:
    raise RuntimeError('This tool intentionally returns an error for testing')


@tool
async def test_tool_with_logging(ctx: Context) -> str:
    for words in ('Tool execution started', 'Tool processing data', 'Tool execution completed'):
        await ctx.info(words)
        await asyncio.sleep(0.05)
    return 'done'


@tool
async def test_tool_with_progress(ctx: Context) -> str:
    for share in (0, 50, 100):
        await ctx.report_progress(share, 100, f'at {share}')
        await asyncio.sleep(0.05)
    return 'done'


class Reply(BaseModel):
    response: str = Field(description='What the user says')


class Defaults(BaseModel):
    name: str = 'John Doe'
    age: int = 30
    score: float = 95.5
    status: str = Field('active', json_schema_extra={'enum': ['active', 'inactive', 'pending']})
    verified: bool = True


def titled(*pairs):
    return [{'const': word, 'title': title} for word, title in pairs]


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={'enum': ['option1', 'option2', 'option3']})
    titledSingle: str = Field(json_schema_extra={'oneOf': titled(('value1', 'First'), ('value2', 'Second'), ('value3', 'Third'))})
    legacyEnum: str = Field(json_schema_extra={'enum': ['opt1', 'opt2', 'opt3'], 'enumNames': ['One', 'Two', 'Three']})
    untitledMulti: list[str] = Field(json_schema_extra={'items': {'type': 'string', 'enum': ['option1', 'option2', 'option3']}})
    titledMulti: list[str] = Field(
        json_schema_extra={'items': {'anyOf': titled(('value1', 'First'), ('value2', 'Second'), ('value3', 'Third'))}})


def ask(message, name, kind):
    return form(message, {'type': 'object', 'properties': {name: {'type': kind}}, 'required': [name]})


def form(message, schema):
    return ElicitRequest(method='elicitation/create', params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words):
    params = CreateMessageRequestParams(messages=[SamplingMessage(role='user', content=text(words))], max_tokens=100)
    return CreateMessageRequest(method='sampling/createMessage', params=params)


def roots():
    return ListRootsRequest(method='roots/list')


RESULTS = {'elicitation/create': ElicitResult, 'sampling/createMessage': CreateMessageResult, 'roots/list': ListRootsResult}


async def put(ctx, questions, state=None):
    """Answers by name. In the newest revision the result that asks for them, while some are missing."""
    if ctx.session.can_send_request:
        about = ServerMessageMetadata(related_request_id=ctx.request_id)
        asking = [ctx.session.send_request(question, RESULTS[question.method], metadata=about) for question in questions.values()]
        return dict(zip(questions, await asyncio.gather(*asking)))
    given = ctx.input_responses or {}
    return given if all(name in given for name in questions) else InputRequiredResult(input_requests=questions, request_state=state)


def asks(given):
    return isinstance(given, InputRequiredResult)


@tool
async def test_sampling(prompt: str, ctx: Context) -> str | InputRequiredResult:
    if ctx.session.can_send_request:
        # As most servers do, beside the answer to any call.
        asked = [SamplingMessage(role='user', content=text(prompt))]
        return f'LLM response: {(await ctx.session.create_message(messages=asked, max_tokens=100)).content.text}'
    given = await put(ctx, {'thought': sample(prompt)})
    return given if asks(given) else f'LLM response: {given["thought"].content.text}'


async def elicit(ctx, before, message, schema):
    given = await put(ctx, {'answer': form(message, render_elicitation_schema(schema))})
    if asks(given):
        return given
    answer = given['answer']
    content = schema.model_validate(answer.content).model_dump_json() if answer.action == 'accept' else '{}'
    return f'{before}: action={answer.action}, content={content}'


@tool
async def test_elicitation(message: str, ctx: Context) -> str | InputRequiredResult:
    return await elicit(ctx, 'User response', message, Reply)


@tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str | InputRequiredResult:
    return await elicit(ctx, 'Elicitation completed', 'Please confirm', Defaults)


@tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str | InputRequiredResult:
    return await elicit(ctx, 'Elicitation completed', 'Please choose', Choices)


@tool
async def test_reconnection(ctx: Context) -> str:
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return 'Reconnection test completed'


# What the newest revision asks for in results; older ones while the call is under way.

@tool
async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    given = await put(ctx, {'user_name': ask('What is your name?', 'name', 'string')})
    return given if asks(given) else f'Hello, {given["user_name"].content["name"]}!'


@tool
async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    given = await put(ctx, {'capital_question': sample('What is the capital of France?')})
    return given if asks(given) else f'The model says {given["capital_question"].content.text}'


@tool
async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    given = await put(ctx, {'client_roots': roots()})
    return given if asks(given) else 'Roots: ' + ', '.join(str(root.uri) for root in given['client_roots'].roots)


@tool
async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    given = await put(ctx, {'confirm': ask('Please confirm', 'ok', 'boolean')}, 'state-1')
    return given if asks(given) else 'state-ok' if ctx.request_state in ('state-1', None) else 'state-lost'


@tool
async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
    given = await put(ctx, {'confirm': ask('Please confirm', 'ok', 'boolean')}, 'state-2')
    return given if asks(given) else 'state-ok'


@tool
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    questions = {'user_name': ask('What is your name?', 'name', 'string'), 'greeting': sample('Generate a greeting'),
                 'client_roots': roots()}
    given = await put(ctx, questions, 'state-3')
    return given if asks(given) else 'all there'


@tool
async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    first, second = ask('Step 1: What is your name?', 'name', 'string'), ask('Step 2: What is your favorite color?', 'color', 'string')
    if ctx.request_state is None:
        given = await put(ctx, {'step1': first}, 'one')
        if asks(given):
            return given
    if ctx.request_state in ('one', None):
        given = await put(ctx, {'step2': second}, 'two')
        if asks(given):
            return given
    return 'both answered'


@tool
async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
    can = ctx.client_capabilities
    questions = {'user_name': ask('What is your name?', 'name', 'string')} if can and can.elicitation else {}
    if can and can.sampling:
        questions['greeting'] = sample('Generate a greeting')
    if not questions:
        return 'nothing can be asked'
    given = await put(ctx, questions)
    return given if asks(given) else 'all there'


@server.resource('test://static-text')
def static_text() -> str:
    return 'This is the content of the static text resource.'


@server.resource('test://static-binary', mime_type='image/png')
def static_binary() -> bytes:
    return base64.b64decode(PIXEL)


@server.resource('test://template/{id}/data', mime_type='application/json')
def template(id: str) -> str:
    return f'{{"id": "{id}", "templateTest": true, "data": "Data for ID: {id}"}}'


@server.resource('test://watched-resource')
def watched() -> str:
    return 'watched'


@prompt
def test_simple_prompt() -> list[UserMessage]:
    return [UserMessage(text('This is a simple prompt for testing.'))]


@prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    return [UserMessage(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


@prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    return [UserMessage(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
            UserMessage(text('Please process the embedded resource above.'))]


@prompt
def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(image()), UserMessage(text('Please analyze the image above.'))]


@prompt
async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
    given = await put(ctx, {'user_context': ask('What context should the prompt use?', 'context', 'string')})
    return given if asks(given) else [UserMessage(text(f'In the context of {given["user_context"].content["context"]}'))]


@tool
def test_missing_capability(ctx: Context) -> str:
    if not (ctx.client_capabilities and ctx.client_capabilities.sampling):
        raise MCPError(-32021, 'Missing client capability', {'requiredCapabilities': {'sampling': {}}})
    return 'done'


async def nothing(ctx, params):
    return EmptyResult()


for method, params in (('logging/setLevel', SetLevelRequestParams), ('resources/subscribe', SubscribeRequestParams),
                       ('resources/unsubscribe', UnsubscribeRequestParams)):
    server._lowlevel_server.add_request_handler(method, params, nothing)


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=[], total=0, has_more=False)


if __name__ == '__main__':
    asyncio.run(server.run_streamable_http_async(port=int(sys.argv[1]), event_store=Events(), retry_interval=100))
