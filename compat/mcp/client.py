"""The official Python client through the gateway: both eras, tools, streams, resources, prompts, and what it may not see or call.

    client.py SERVER URL: one JSON object a line"""
import asyncio
import json
import logging
import sys
from importlib.metadata import version

from mcp import Client
from mcp.types import CreateMessageResult, ElicitResult, TextContent

logging.disable(logging.CRITICAL)


async def refused(call):
    try:
        await call
    except Exception:
        return True
    return False


async def says(context, params):
    return ElicitResult(action='accept', content={'response': 'yes'})


async def thinks(context, params):
    return CreateMessageResult(role='assistant', content=TextContent(type='text', text='I think so'), model='none')


async def cases(server, url, mode):
    steps = []

    async def progress(done, total, message):
        steps.append(done)

    async with Client(url, mode=mode, elicitation_callback=says, sampling_callback=thinks) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        yield 'tools are listed', 'test_simple_text' in names
        yield 'a hidden tool is not', 'secret_tool' not in names
        answer = await client.call_tool('test_simple_text', {})
        yield 'a call', answer.content[0].text == 'This is a simple text response for testing.'
        yield 'a denied call', await refused(client.call_tool('secret_tool', {}))
        yield 'still there', not (await client.call_tool('test_simple_text', {})).is_error
        await client.call_tool('test_tool_with_progress', {}, progress_callback=progress)
        yield 'progress', steps == [0, 50, 100]
        answer = await client.call_tool('test_error_handling', {})
        yield 'a failing tool', answer.is_error
        answer = await client.read_resource('test://static-text')
        yield 'a resource', 'static text resource' in answer.contents[0].text
        answer = await client.get_prompt('test_simple_prompt')
        yield 'a prompt', 'simple prompt' in answer.messages[0].content.text
        if server != 'TypeScript' and (mode == 'legacy' or server == 'first era'):
            answer = await client.call_tool('test_elicitation', {'message': 'well?'})
            yield 'a question back', 'action=accept' in answer.content[0].text
            answer = await client.call_tool('test_sampling', {'prompt': 'well?'})
            yield 'a thought', 'I think so' in answer.content[0].text


async def main(server, url):
    for mode in ['legacy', 'auto'] if server != 'TypeScript' else ['legacy']:
        async for case, right in cases(server, url, mode):
            name = f'Python {version("mcp")} {mode} → {server}'
            print(json.dumps({'client': name, 'case': case, 'right': right}), flush=True)


asyncio.run(main(*sys.argv[1:3]))
