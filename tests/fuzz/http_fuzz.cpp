// SPDX-License-Identifier: Apache-2.0
// From bytes to a request and back to an answer: however the bytes are cut, the same comes of them, and nothing that is refused gets
// through.
#include "http/access.hpp"
#include "http/answer.hpp"
#include "http/media_type.hpp"
#include "http/parser.hpp"
#include "http/problem.hpp"
#include "http/routes.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace weir::http;

namespace {

constexpr std::size_t kHeaderMost = 2048;
constexpr std::size_t kBodyMost = 512;

void require(bool condition, const char *what) {
    if (!condition) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

const Routes &routes() {
    static const Routes::Built built = [] {
        std::vector<Route> all(3);
        all[0].pattern = "/a/{x}";
        all[1].pattern = "/a/{x}/{rest...}";
        all[2].pattern = "/";
        for (Route &route : all) {
            route.handler = [](const Request &request) { return Response::json(200, json_string(request.path)); };
        }
        return Routes::build(std::move(all));
    }();
    return *built.routes;
}

void check(Request &request, bool asterisk, bool is_http_1_0) {
    require(asterisk ? request.path == "*" : !request.path.empty() && request.path.front() == '/', "a path begins with a slash");
    require(request.path.find('\0') == std::string::npos, "a path holds no NUL");
    for (const std::string &segment : request.segments) {
        require(segment != "." && segment != ".." && segment.find_first_of("/\\") == std::string::npos, "segments lead nowhere else");
    }
    require(request.body.size() <= kBodyMost, "a body keeps to its limit");
    require(request.headers.count("Content-Length") + request.headers.count("Transfer-Encoding") <= 1, "there is one framing");
    require(request.headers.count("Host") <= 1, "there is one host");
    ListenerOptions listener;
    listener.token = "0123456789abcdef";
    listener.cors_origins = {"https://a.example"};
    request.remote_address = "192.0.2.1";
    judge(request, listener, is_http_1_0);
    require(!request.is_local, "a stranger is not local");
    (void)accepts(request.headers.joined("Accept"), {"application/json"});
    const Routes::Match match = routes().match(request.method, request.segments);
    Response response = match.route != nullptr ? match.route->handler(request) : problem(404, request.path);
    response.headers.add("X-Echo", request.query);
    if (match.route != nullptr) {
        tag(response, *match.route);
    }
    AnswerContext context;
    context.request = &request;
    context.route = match.route;
    context.listener = &listener;
    const Answer answer = make_answer({std::make_shared<const Response>(std::move(response)), {}}, context);
    require(answer.head.find("\r\n\r\n") == answer.head.size() - 4, "an answer has one header");
}

/// Everything that was taken for a request, as text. When a fault is found within an unfinished one depends on how it was cut.
std::vector<std::string> read(std::string_view bytes, std::size_t piece) {
    std::vector<std::string> seen;
    std::string waiting;
    auto parser = std::make_unique<RequestParser>(kHeaderMost);
    while (!bytes.empty() || !waiting.empty()) {
        const std::size_t before = waiting.size();
        waiting += bytes.substr(0, piece);
        bytes.remove_prefix(waiting.size() - before);
        bool more = true;
        while (more) {
            const std::size_t taken = parser->feed(waiting);
            require(taken <= waiting.size(), "no more is taken than there is");
            waiting.erase(0, taken);
            const auto stage = parser->stage();
            if (stage == RequestParser::Stage::headed) {
                parser->allow_body(kBodyMost);
            }
            if (parser->stage() == RequestParser::Stage::refused) {
                require(parser->refusal().status >= 400, "a refusal has a status");
                return seen;
            }
            if (parser->stage() == RequestParser::Stage::complete) {
                Request &request = parser->request();
                check(request, parser->is_asterisk(), parser->is_http_1_0());
                seen.push_back(std::string(text_of(request.method)) + " " + request.path + "?" + request.query + "\n" + request.body);
                parser = std::make_unique<RequestParser>(kHeaderMost);
                more = !waiting.empty();
            } else {
                more = taken > 0 && !waiting.empty();
            }
        }
        require(waiting.size() <= kHeaderMost + 8192 + piece, "what waits is bounded");
        if (bytes.empty()) {
            break;
        }
    }
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char *>(data), size);
    const auto whole = read(bytes, std::max<std::size_t>(size, 1));
    const auto cut = read(bytes, 1 + size % 7);
    require(whole == cut, "the same requests come of the same bytes, however they are cut");
    return 0;
}
