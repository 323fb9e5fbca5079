// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/request.hpp"
#include "http/server.hpp"

#include <optional>
#include <string_view>

namespace weir::http {

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
bool same_secret(std::string_view given, std::string_view secret) noexcept;

/// "127.0.0.1" and all of 127/8, "::1", and those mapped into IPv6.
bool is_loopback(std::string_view address) noexcept;

/// Whose part of the connections an address takes: its own where it is IPv4, also within IPv6; its network of 64 bits otherwise, as one
/// client has as many addresses there as it likes.
std::string share_of(const std::string &address);

/// Whether a request comes from this machine and means it: from a loopback address, under a Host name of this machine (a name that an
/// attacker's DNS points here is none), through no proxy that says so (Forwarded, X-Forwarded-…, Via and the like), and not from a page of
/// another origin.
bool is_local_request(const Request &request, const ListenerOptions &listener);

/// Whether the Origin is the address that the request itself was sent to.
bool is_same_origin(const Request &request, std::string_view origin);

/// The Origin of the request where it is on the listener's list.
std::optional<std::string_view> allowed_origin(const Request &request, const ListenerOptions &listener);

/// Sets `is_local` and `authorized`. Requests of HTTP/1.0 are never local: proxies that add no header speak it to those behind them.
void judge(Request &request, const ListenerOptions &listener, bool is_http_1_0);

/// The 401 or 403 for a request that isn't authorized.
Response refuse_access(const Request &request, const ListenerOptions &listener);

/// The answer to OPTIONS at a path that has these methods: 204 with Allow, and what a browser asks before it sends across origins.
Response answer_options(const Request &request, const ListenerOptions &listener, std::string_view allowed);

} // namespace weir::http
