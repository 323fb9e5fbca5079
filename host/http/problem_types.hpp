// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weir::http::problem_types {

// The kinds of problems that the server itself answers with; docs/operations.md explains each. Relative references, as RFC 9457 has them.
inline constexpr const char *kMalformed = "/problems/malformed-request";
inline constexpr const char *kHeaderTooLarge = "/problems/header-too-large";
inline constexpr const char *kBodyTooLarge = "/problems/body-too-large";
inline constexpr const char *kTooSlow = "/problems/too-slow";
inline constexpr const char *kHandlerTimeout = "/problems/handler-timeout";
inline constexpr const char *kOverloaded = "/problems/overloaded";
inline constexpr const char *kStarting = "/problems/starting";
inline constexpr const char *kNotFound = "/problems/not-found";
inline constexpr const char *kMethodNotAllowed = "/problems/method-not-allowed";
inline constexpr const char *kMediaType = "/problems/media-type";
inline constexpr const char *kUnauthorized = "/problems/unauthorized";
inline constexpr const char *kHandlerFailed = "/problems/handler-failed";

} // namespace weir::http::problem_types
