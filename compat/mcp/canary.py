"""The official Python client with a guard in the way: what it hides and refuses of arguments, results and descriptions, and what goes on.

    canary.py WAY URL: one JSON object a line"""
import asyncio
import json
import logging
import sys

from mcp import Client

logging.disable(logging.CRITICAL)
HIDDEN = '*' * len('hidden canary')


async def said(client, words):
    """What the tool made of the words; `refused` where the guard did not let it."""
    try:
        answer = await client.call_tool('backwards', {'words': words})
    except Exception as refusal:
        return 'refused' if 'refused by a guard' in str(refusal) else f'failed: {refusal}'
    return answer.content[0].text


async def cases(url, mode):
    async with Client(url, mode=mode) as client:
        described = {tool.name: tool.description for tool in (await client.list_tools()).tools}
        yield 'a description', described['backwards'] == f'Says it backwards, like a {HIDDEN}'
        yield 'other words', await said(client, 'a canary') == 'yranac a'
        # Whoever hides only what comes back sees them backwards.
        yield 'hidden arguments', await said(client, 'hidden canary') == HIDDEN
        yield 'a hidden result', await said(client, 'yranac neddih') == HIDDEN
        yield 'refused arguments', await said(client, 'a forbidden canary') == 'refused'
        yield 'a refused result', await said(client, 'yranac neddibrof') == 'refused'
        yield 'still there', await said(client, 'a canary') == 'yranac a'


async def main(way, url):
    for mode in ['legacy', 'auto']:
        async for case, right in cases(url, mode):
            print(json.dumps({'client': f'guard {way}, {mode}', 'case': case, 'right': right}), flush=True)


asyncio.run(main(*sys.argv[1:3]))
