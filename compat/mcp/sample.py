"""The official Python client with `trilithon sample tools` behind the gateway: what is listed, calls, and faults on demand.

    sample.py URL: one JSON object a line"""
import asyncio
import json
import logging
import sys
from importlib.metadata import version

from mcp import Client

logging.disable(logging.CRITICAL)
TOOLS = ['cancel_refund', 'list_orders', 'read_notes', 'refund_order']


async def cases(url, mode):
    async with Client(url, mode=mode) as client:
        yield 'tools are listed', sorted(tool.name for tool in (await client.list_tools()).tools) == TOOLS
        answer = await client.call_tool('list_orders', {})
        yield 'a call', not answer.is_error and bool(answer.structured_content)
        refund = await client.call_tool('refund_order', {'order': 'o-1001', 'amount': 1})
        back = await client.call_tool('cancel_refund', {'refund': refund.structured_content['refund']})
        yield 'a call, and back', back.structured_content['cancelled'] is True
        answer = await client.call_tool('refund_order', {'order': 'o-7', 'amount': 1})
        yield 'a failing call', answer.is_error and answer.content[0].text == 'there is no order `o-7`'
        yield 'notes', 'grace@example.com' in (await client.call_tool('read_notes', {})).content[0].text


async def main(url):
    for mode in ['legacy', 'auto']:
        async for case, right in cases(url, mode):
            print(json.dumps({'client': f'Python {version("mcp")} {mode} → sample', 'case': case, 'right': right}), flush=True)


asyncio.run(main(sys.argv[1]))
