-- The load: one call of a model, with what the peer wants to be told in its headers.
wrk.method = 'POST'
wrk.body = io.open(os.getenv('BENCH_BODY')):read('*a')
wrk.headers['Content-Type'] = 'application/json'
for line in os.getenv('BENCH_HEADERS'):gmatch('[^\n]+') do
    local name, value = line:match('^(.-): (.*)$')
    wrk.headers[name] = value
end
