/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension weir.http/1 in numbers, on machines with 64-bit pointers. None of these may ever change. Compiles as C11 and as C++20. */
#include <weir/http.h>

#ifdef __cplusplus
#define HOLDS(condition) static_assert(condition, #condition)
#else
#define HOLDS(condition) _Static_assert(condition, #condition)
#endif
#define SIZE_AT_LEAST(type, bytes) HOLDS(sizeof(type) >= (bytes))
#define AT(type, member, bytes) HOLDS(offsetof(type, member) == (bytes))

SIZE_AT_LEAST(weir_http_request_v1, 80);
AT(weir_http_request_v1, size, 0);
AT(weir_http_request_v1, method, 4);
AT(weir_http_request_v1, host, 8);
AT(weir_http_request_v1, path, 16);
AT(weir_http_request_v1, body, 32);
AT(weir_http_request_v1, event, 48);
AT(weir_http_request_v1, variable, 56);
AT(weir_http_request_v1, query, 64);
AT(weir_http_request_v1, header, 72);

SIZE_AT_LEAST(weir_http_reply_v1, 56);
AT(weir_http_reply_v1, size, 0);
AT(weir_http_reply_v1, reserved, 4);
AT(weir_http_reply_v1, host, 8);
AT(weir_http_reply_v1, status, 16);
AT(weir_http_reply_v1, header, 24);
AT(weir_http_reply_v1, body, 32);
AT(weir_http_reply_v1, problem, 40);
AT(weir_http_reply_v1, publish, 48);

SIZE_AT_LEAST(weir_http_route_v1, 112);
AT(weir_http_route_v1, path, 0);
AT(weir_http_route_v1, method, 16);
AT(weir_http_route_v1, flags, 20);
AT(weir_http_route_v1, max_age_ms, 24);
AT(weir_http_route_v1, max_body_bytes, 28);
AT(weir_http_route_v1, consumes, 32);
AT(weir_http_route_v1, produces, 48);
AT(weir_http_route_v1, content_security_policy, 64);
AT(weir_http_route_v1, summary, 80);
AT(weir_http_route_v1, handle, 96);
AT(weir_http_route_v1, user, 104);

SIZE_AT_LEAST(weir_http_v1, 24);
AT(weir_http_v1, size, 0);
AT(weir_http_v1, route_count, 4);
AT(weir_http_v1, routes, 8);
AT(weir_http_v1, route_stride, 16);
AT(weir_http_v1, reserved, 20);

HOLDS(WEIR_HTTP_GET == 1u);
HOLDS(WEIR_HTTP_POST == 2u);
HOLDS(WEIR_HTTP_PUT == 3u);
HOLDS(WEIR_HTTP_PATCH == 4u);
HOLDS(WEIR_HTTP_DELETE == 5u);
HOLDS(WEIR_HTTP_EVENTS == 1u);
