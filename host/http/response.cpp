// SPDX-License-Identifier: Apache-2.0
#include "http/response.hpp"

#include "http/problem.hpp"

#include <utility>

namespace weir::http {

namespace {

Response with(int status, std::string_view media_type, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", media_type);
    response.body = std::move(body);
    return response;
}

} // namespace

Response Response::json(int status, std::string body) { return with(status, "application/json", std::move(body)); }
Response Response::text(int status, std::string body) { return with(status, "text/plain; charset=utf-8", std::move(body)); }
Response Response::html(std::string body) { return with(200, "text/html; charset=utf-8", std::move(body)); }

Response Response::empty(int status) {
    Response response;
    response.status = status;
    return response;
}

Response Response::events(std::shared_ptr<EventStream> stream) {
    if (!stream) {
        Problem full;
        full.status = 503;
        full.detail = "Too many clients listen to this stream";
        full.retry_after = std::chrono::seconds(5);
        return full.response();
    }
    Response response = with(200, "text/event-stream", {});
    response.headers.add("Cache-Control", "no-store");
    response.stream = std::move(stream);
    return response;
}

std::string_view reason_of(int status) noexcept {
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 422:
        return "Unprocessable Content";
    case 428:
        return "Precondition Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

} // namespace weir::http
