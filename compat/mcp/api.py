"""The official Python client with an API that is offered as tools: what is listed, a call, one that fails, one that does not fit.

    api.py URL: one JSON object a line"""
import asyncio
import json
import logging
import sys
from importlib.metadata import version

from mcp import Client

logging.disable(logging.CRITICAL)


async def cases(url, mode):
    async with Client(url, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        yield 'tools are listed', sorted(tools) == ['addPet', 'get_pets_by_id', 'lookAtPet', 'oddPet', 'showPet']
        yield 'with their schema', tools['addPet'].input_schema['properties']['body'] == {'$ref': '#/$defs/Pet'}
        answer = await client.call_tool('get_pets_by_id', {'id': 7})
        yield 'a call', not answer.is_error and answer.structured_content == {'id': 7, 'asked': '/v1/pets/7'}
        answer = await client.call_tool('addPet', {'body': {'name': 'Rex'}})
        yield 'a call with a body', answer.structured_content == {'name': 'Rex'}
        answer = await client.call_tool('lookAtPet', {'id': 7})
        photo = answer.content[0]
        yield 'a picture', (photo.type, photo.mime_type) == ('image', 'image/png')
        answer = await client.call_tool('showPet', {'id': 7, 'body': {'photo': photo.data, 'title': 'Rex'}})
        yield 'a file', answer.structured_content == {'photo': ['photo', True], 'title': [None, False]}
        # The client checks it against the tool's schema.
        answer = await client.call_tool('oddPet', {})
        fitting = {'kind': 'dog', 'born': None, 'mother': {'id': 'x'}, 'more': [1]}
        yield 'an odd answer', not answer.is_error and answer.structured_content == fitting
        yield 'its schema', tools['oddPet'].output_schema['type'] == 'object'
        answer = await client.call_tool('get_pets_by_id', {'id': 404})
        yield 'a failing call', answer.is_error and '404' in answer.content[0].text
        answer = await client.call_tool('get_pets_by_id', {'id': '7'})
        yield 'what does not fit', answer.is_error and answer.content[0].text == '`id` is no integer'


async def main(url):
    for mode in ['legacy', 'auto']:
        async for case, right in cases(url, mode):
            print(json.dumps({'client': f'Python {version("mcp")} {mode} → API', 'case': case, 'right': right}), flush=True)


asyncio.run(main(sys.argv[1]))
