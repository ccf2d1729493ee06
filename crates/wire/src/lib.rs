//! HTTP/1.1 as a sans-io codec, PROXY protocol, ClientHello peek.
