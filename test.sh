#!/usr/bin/env bash
# Every check of the project, from a clean checkout. Installs what is missing, goes on after a failed step, and fails at the end
# with a summary. `./test.sh STEP…` runs some steps only: needs format docs lint deny unit build compat contract jose clients mcp h2spec otlp examples soak
set -uo pipefail
cd "$(dirname "$0")"

export PATH="$PATH:$HOME/.cargo/bin:/usr/local/go/bin:$HOME/go/bin"
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 PIP_DISABLE_PIP_VERSION_CHECK=1
GATEWAY="${CARGO_TARGET_DIR:-target}/debug/trilithon"
CONTRACT=../shared/contract/contract.py
PYTHON=python3
# A Python of ours, when the system's does not let packages in.
[ -x .ci/python/bin/python3 ] && PYTHON=.ci/python/bin/python3

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian packages by the command they bring.
install_packages() {
    local missing=()
    has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
    has curl || missing+=(curl)
    has openssl || missing+=(openssl)
    has python3 || missing+=(python3)
    has pip3 || has pip || missing+=(python3-pip)
    has cc || missing+=(build-essential)
    has nginx || missing+=(nginx-light)
    has haproxy || missing+=(haproxy)
    has h2load || missing+=(nghttp2-client)
    has prometheus || missing+=(prometheus)
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || { echo "missing and no apt-get: ${missing[*]}"; return 1; }
    echo "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The contract's client for HTTP/2, and a collector's protocol.
PACKAGES="h2 grpcio opentelemetry-proto"
install_python_packages() {
    "$PYTHON" -c 'import grpc, h2, opentelemetry.proto' 2>/dev/null && return
    # shellcheck disable=SC2086
    {
        "$PYTHON" -m pip install --quiet $PACKAGES 2>/dev/null && return
        "$PYTHON" -m pip install --quiet --break-system-packages $PACKAGES 2>/dev/null && return
        python3 -m venv .ci/python && .ci/python/bin/pip install --quiet $PACKAGES && PYTHON=.ci/python/bin/python3
    }
}

# The libraries whose tokens are tried.
install_jose() {
    "$PYTHON" -c 'import joserfc' 2>/dev/null || "$PYTHON" -m pip install --quiet joserfc 2>/dev/null \
        || "$PYTHON" -m pip install --quiet --break-system-packages joserfc || return
    command -v npm >/dev/null || { echo "no npm: tokens of JavaScript's jose are left out"; return 0; }
    [ -d .ci/jose/node_modules/jose ] || npm install --silent --no-fund --no-audit --prefix .ci/jose jose@6
}

# The official clients of model vendors.
install_clients() {
    "$PYTHON" -c 'import anthropic, openai' 2>/dev/null || "$PYTHON" -m pip install --quiet anthropic openai 2>/dev/null \
        || "$PYTHON" -m pip install --quiet --break-system-packages anthropic openai || return
    command -v npm >/dev/null || { echo "no npm: the clients in JavaScript are left out"; return 0; }
    [ -d .ci/clients/node_modules/openai ] || npm install --silent --no-fund --no-audit --prefix .ci/clients openai@6 @anthropic-ai/sdk
}

# The official SDKs of the Model Context Protocol, and its conformance suite, which needs a newer Node.js than most systems have.
install_mcp() {
    "$PYTHON" -c 'import mcp.server.mcpserver' 2>/dev/null || "$PYTHON" -m pip install --quiet 'mcp>=2.3,<3' 2>/dev/null \
        || "$PYTHON" -m pip install --quiet --break-system-packages 'mcp>=2.3,<3' || return
    command -v npm >/dev/null || { echo "no npm: the SDK in TypeScript and the conformance suite are left out"; return 0; }
    [ -d .ci/mcp/node_modules/node ] || npm install --silent --no-fund --no-audit --prefix .ci/mcp \
        node@22 @modelcontextprotocol/sdk@1 @modelcontextprotocol/conformance@0.2.0-alpha.12
}

install_rust_parts() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    rustup component add rustfmt clippy
}

install_h2spec() {
    type -P h2spec >/dev/null && return
    command -v go >/dev/null || { echo "no Go: h2spec is left out"; return 0; }
    go install github.com/summerwind/h2spec/cmd/h2spec@latest
}

needs() {
    install_packages && install_python_packages && install_jose && install_clients && install_mcp && install_rust_parts && install_h2spec
}

format() {
    cargo fmt --all --check
}

# The generated part of the manual is what the code says.
docs() {
    cargo run --locked --quiet -p trilithon-xtask -- docs --check
}

lint() {
    cargo clippy --workspace --all-targets --locked -- -D warnings
}

# What is depended on may be. Advisories come from the network, and are asked for by hand: `cargo deny check advisories`.
deny() {
    cargo deny --version >/dev/null 2>&1 || { echo "no cargo-deny: left out"; return 0; }
    cargo deny --locked check licenses bans sources
}

unit() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace --locked && cargo test --workspace --locked --doc --quiet
    else
        cargo test --workspace --locked --quiet --no-fail-fast
    fi
}

build() {
    cargo build --locked -p trilithon
}

compat() {
    "$PYTHON" compat/run.py --bin "$GATEWAY"
}

contract() {
    [ -f "$CONTRACT" ] || { echo "no recorded contract beside this checkout: left out"; return 0; }
    "$PYTHON" compat/contract.py --bin "$GATEWAY" --contract "$CONTRACT"
}

# Tokens of other people's libraries.
jose() {
    "$PYTHON" compat/jose/run.py --bin "$GATEWAY"
}

# Model vendors' own clients.
clients() {
    "$PYTHON" compat/clients/run.py --bin "$GATEWAY"
}

# Real clients and servers of tools, and the protocol's conformance suite.
mcp() {
    "$PYTHON" compat/mcp/run.py --bin "$GATEWAY"
}

h2spec() {
    if ! type -P h2spec >/dev/null; then echo "no h2spec: left out"; return 0; fi
    "$PYTHON" compat/h2spec.py --bin "$GATEWAY"
}

# Traces, metrics and logs as a collector and a Prometheus get them.
otlp() {
    "$PYTHON" compat/otlp/check.py --bin "$GATEWAY"
}

examples() {
    "$PYTHON" examples/check.py --bin "$GATEWAY"
}

# Reloads and the end of the process under load; two minutes of it: benches/soak/run.
soak() {
    "$PYTHON" benches/soak/run --seconds 15 --bin "$GATEWAY"
}

summary=()
failed=0
step() {
    local start=$SECONDS outcome=passed
    echo "── $1"
    "$1" || { outcome=FAILED; failed=1; }
    summary+=("$(printf '%-10s %s in %ds' "$1" "$outcome" $((SECONDS - start)))")
    echo "── ${summary[-1]}"
}

[ $# -gt 0 ] || set -- needs format docs lint deny unit build compat contract jose clients mcp h2spec otlp examples soak
for name in "$@"; do
    step "$name"
done
echo
echo "── summary"
printf '%s\n' "${summary[@]}"
exit $failed
