-- The load: one call of a tool, with what the peer wants to be told in its headers.
wrk.method = 'POST'
for line in os.getenv('BENCH_HEADERS'):gmatch('[^\n]+') do
    local name, value = line:match('^(.-): (.*)$')
    wrk.headers[name] = value
end
-- Each call of a session has an id of its own.
local before, behind = os.getenv('BENCH_BODY'):match('^(.*)@ID@(.*)$')
local number = 0
function request()
    number = number + 1
    return wrk.format(nil, nil, nil, before .. number .. behind)
end
-- A refusal may come with status 200: an answer without a result is a failure.
local failed = 0
function response(status, headers, body)
    if not body:find('"result"', 1, true) or body:find('"isError":true', 1, true) then
        failed = failed + 1
        if failed == 1 then print('Failed: ' .. status .. ' ' .. body:sub(1, 200)) end
    end
end
