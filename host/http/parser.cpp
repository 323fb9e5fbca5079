// SPDX-License-Identifier: Apache-2.0
#include "http/parser.hpp"

#include "http/problem_types.hpp"
#include "http/target.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::http {

namespace beast = boost::beast;
using boost::system::error_code;

namespace {

// Chunk headers and trailers must be whole to be read.
constexpr std::size_t kChunkHeaderBytesMax = 4096;
constexpr std::size_t kLastChunkBytes = 5; // "0", and two line ends: what is left of any chunked body until it is complete

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }

/// host [":" port], as far as a client may write it: no user, no path, nothing that would end a line.
bool is_authority(std::string_view text) noexcept {
    constexpr std::string_view kMarks = ".-_~:[]%!$&'()*+,;=";
    return std::all_of(text.begin(), text.end(), [&](char character) {
        return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || (character >= '0' && character <= '9') ||
               kMarks.find(character) != std::string_view::npos;
    });
}

Refusal refusal_of(error_code code, std::size_t max_header_bytes, std::size_t max_body_bytes) {
    using beast::http::error;
    if (code == error::header_limit) {
        return {431,
                "The request line and its header fields are longer than http.max_header_bytes (" + std::to_string(max_header_bytes) +
                    " bytes)",
                problem_types::kHeaderTooLarge};
    }
    if (code == error::body_limit) {
        return {413, "The body is longer than " + std::to_string(max_body_bytes) + " bytes", problem_types::kBodyTooLarge};
    }
    const auto with = [](std::string detail, int status = 400) { return Refusal{status, std::move(detail), problem_types::kMalformed}; };
    if (code == error::bad_method) {
        return with("The method is no token");
    }
    if (code == error::bad_target) {
        return with("The target holds a character that must be escaped");
    }
    if (code == error::bad_version) {
        return with("The version is neither HTTP/1.1 nor HTTP/1.0", 505);
    }
    if (code == error::bad_field) {
        return with("A header field's name holds a character that may not be there");
    }
    if (code == error::bad_value || code == error::bad_obs_fold) {
        return with("A header field's value holds a character that may not be there, or is folded");
    }
    if (code == error::bad_line_ending) {
        return with("A line doesn't end with CR LF");
    }
    if (code == error::bad_content_length) {
        return with("Content-Length is not one number, or stands beside Transfer-Encoding");
    }
    if (code == error::bad_transfer_encoding) {
        return with("Transfer-Encoding is there twice, or stands beside Content-Length");
    }
    if (code == error::bad_chunk || code == error::bad_chunk_extension) {
        return with("A chunk's size or extension is malformed");
    }
    return with("The request is malformed");
}

} // namespace

class RequestParser::Implementation : public beast::http::basic_parser<true> {
public:
    explicit Implementation(std::size_t max_header_bytes) : max_header_bytes_(max_header_bytes) {
        header_limit(static_cast<std::uint32_t>(max_header_bytes));
        body_limit(std::numeric_limits<std::uint64_t>::max()); // lowered when a route is known
    }

    std::size_t feed(std::string_view bytes) {
        std::size_t taken = 0;
        if (stage_ == Stage::header && !got_some()) { // an empty line before a request is overlooked (RFC 9112, section 2.2)
            while (taken < bytes.size() && overlooked_ + taken < 2 && (bytes[taken] == '\r' || bytes[taken] == '\n')) {
                ++taken;
            }
            if (taken == 1 && bytes.size() == 1) {
                return 0;
            }
            overlooked_ += taken; // one, however it is cut
        }
        while ((stage_ == Stage::header || stage_ == Stage::body) && taken < bytes.size()) {
            if (stage_ == Stage::body && chunked() && bytes.size() - taken < kLastChunkBytes) {
                return taken; // Beast 1.74 asserts that the last chunk's header isn't given to it in smaller pieces
            }
            error_code code;
            // Beast bounds neither a chunk's header nor the trailer: it sees no more at once than is allowed of them.
            const std::size_t most = stage_ == Stage::body && chunked() ? kChunkHeaderBytesMax : bytes.size();
            const std::size_t now = put({bytes.data() + taken, std::min(bytes.size() - taken, most)}, code);
            taken += now;
            if (stage_ == Stage::refused) {
                return taken;
            }
            if (code && code != beast::http::error::need_more) {
                refuse(refusal_of(code, max_header_bytes_, max_body_bytes_));
                return taken;
            }
            if (stage_ == Stage::header) {
                if (folds(bytes.substr(taken - now, now))) {
                    refuse({400, "A header field is folded over several lines (RFC 9112, section 5.2)", problem_types::kMalformed});
                    return taken;
                }
                header_bytes_ += now;
                if (is_header_done()) {
                    check_header();
                    return taken;
                }
                if (header_bytes_ + (bytes.size() - taken) >= max_header_bytes_) {
                    refuse(refusal_of(beast::http::error::header_limit, max_header_bytes_, 0));
                    return taken;
                }
            } else if (is_done()) {
                stage_ = Stage::complete;
                return taken;
            }
            if (now == 0) {
                if (stage_ == Stage::body && chunked() && bytes.size() - taken >= kChunkHeaderBytesMax) {
                    refuse({400, "A chunk's header or the trailer is longer than " + std::to_string(kChunkHeaderBytesMax) + " bytes",
                            problem_types::kMalformed});
                }
                return taken;
            }
        }
        return taken;
    }

    void allow_body(std::size_t max_bytes, bool keep) {
        if (stage_ != Stage::headed) {
            return;
        }
        keep_ = keep;
        max_body_bytes_ = max_bytes;
        if (is_done()) {
            stage_ = Stage::complete;
        } else if (content_length() && *content_length() > max_bytes) {
            refuse(refusal_of(beast::http::error::body_limit, 0, max_bytes));
        } else {
            body_limit(static_cast<std::uint64_t>(max_bytes));
            eager(true);
            stage_ = Stage::body;
        }
    }

    std::optional<std::uint64_t> body_left() const {
        const auto left = content_length() ? content_length_remaining() : boost::none;
        return left ? std::optional(*left) : std::nullopt;
    }

    void refuse(Refusal refusal) {
        refusal_ = std::move(refusal);
        stage_ = Stage::refused;
    }

    void check_header();

    Stage stage_ = Stage::header;
    Refusal refusal_;
    Request request_;
    bool head_ = false;
    bool asterisk_ = false;
    bool expects_continue_ = false;
    bool keep_ = true;
    int version_ = 0;

private:
    using string_view = beast::string_view;

    void on_request_impl(beast::http::verb, string_view method, string_view target, int version, error_code &) override {
        method_ = view_of(method);
        target_ = view_of(target);
        version_ = version;
    }
    void on_response_impl(int, string_view, int, error_code &) override {}
    void on_field_impl(beast::http::field, string_view name, string_view value, error_code &code) override {
        if (stage_ == Stage::header && !request_.headers.add(view_of(name), view_of(value))) {
            code = beast::http::error::bad_value;
        } // fields of a trailer are passed over: nothing decided may change after the header
    }
    void on_header_impl(error_code &) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t> &, error_code &) override {}
    std::size_t on_body_impl(string_view part, error_code &) override {
        keep(part);
        return part.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code &) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code &) override {
        keep(part);
        return part.size();
    }
    void keep(string_view part) {
        if (!keep_) {
            return;
        }
        if (request_.body.empty() && part.size() < body_left().value_or(0)) { // once, instead of again and again with twice as much
            request_.body.reserve(static_cast<std::size_t>(*content_length()));
        }
        request_.body.append(part.data(), part.size());
    }
    void on_finish_impl(error_code &) override {}

    /// Whether a line of the header begins with a blank; Beast would put a space in its place.
    bool folds(std::string_view header) {
        for (const char character : header) {
            if (at_line_ && (character == ' ' || character == '\t')) {
                return true;
            }
            at_line_ = character == '\n';
        }
        return false;
    }
    bool check_framing();
    bool check_host(const std::string &authority);

    std::size_t max_header_bytes_;
    std::size_t max_body_bytes_ = 0;
    std::size_t header_bytes_ = 0;
    std::size_t overlooked_ = 0;
    bool at_line_ = false; ///< what is read next begins a line
    std::string method_;
    std::string target_;
};

// What two readers of the same bytes could take for different requests is refused, so that nothing is smuggled through a proxy.
bool RequestParser::Implementation::check_framing() {
    const Headers &headers = request_.headers;
    const std::size_t lengths = headers.count("Content-Length");
    if (const std::size_t codings = headers.count("Transfer-Encoding"); codings > 0) {
        if (codings > 1 || lengths > 0 || version_ < 11) {
            refuse(
                {400, "Transfer-Encoding is there twice, stands beside Content-Length, or comes with HTTP/1.0", problem_types::kMalformed});
            return false;
        }
        if (!same_without_case(*headers.find("Transfer-Encoding"), "chunked")) {
            refuse({501, "No transfer coding but chunked is taken", problem_types::kMalformed});
            return false;
        }
    }
    if (lengths > 1 || (lengths == 1 && headers.find("Content-Length")->find_first_not_of("0123456789") != std::string_view::npos)) {
        refuse({400, "Content-Length is not one number", problem_types::kMalformed});
        return false;
    }
    return true;
}

bool RequestParser::Implementation::check_host(const std::string &authority) {
    const std::size_t hosts = request_.headers.count("Host");
    if (hosts > 1 || (hosts == 0 && version_ >= 11)) {
        refuse({400, "A request needs one Host header", problem_types::kMalformed});
        return false;
    }
    if (!authority.empty()) {
        request_.headers.set("Host", authority); // RFC 9112, section 3.2.2: the target's is the one that counts
    }
    if (const auto host = request_.headers.find("Host"); host && !is_authority(*host)) {
        refuse({400, "The Host header, or the target's host, is none", problem_types::kMalformed});
        return false;
    }
    return true;
}

void RequestParser::Implementation::check_header() {
    if (header_bytes_ > max_header_bytes_) {
        return refuse(refusal_of(beast::http::error::header_limit, max_header_bytes_, 0));
    }
    if (version_ != 10 && version_ != 11) {
        return refuse(refusal_of(beast::http::error::bad_version, 0, 0));
    }
    const auto method = method_of(method_);
    if (!method) {
        return refuse(
            {501, "This method is not known here: GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS are", problem_types::kMalformed});
    }
    Target target = http::parse_target(target_);
    if (target.problem.empty() && target.asterisk && *method != Method::options) {
        target.problem = "The target * is for OPTIONS alone";
    }
    if (!target.problem.empty()) {
        return refuse({400, std::move(target.problem), problem_types::kMalformed});
    }
    if (!check_framing() || !check_host(target.authority)) {
        return;
    }
    if (const auto expected = request_.headers.find("Expect")) {
        if (!same_without_case(*expected, "100-continue")) {
            return refuse({417, "No expectation but 100-continue is met", problem_types::kMalformed});
        }
        expects_continue_ = version_ >= 11 && !is_done();
    }
    head_ = *method == Method::head;
    asterisk_ = target.asterisk;
    request_.method = head_ ? Method::get : *method;
    request_.path = std::move(target.path);
    request_.segments = std::move(target.segments);
    request_.query = std::move(target.query);
    request_.parameters = std::move(target.parameters);
    stage_ = Stage::headed;
}

RequestParser::RequestParser(std::size_t max_header_bytes) : implementation_(std::make_unique<Implementation>(max_header_bytes)) {}
RequestParser::~RequestParser() = default;
std::size_t RequestParser::feed(std::string_view bytes) { return implementation_->feed(bytes); }
void RequestParser::allow_body(std::size_t max_bytes, bool keep) { implementation_->allow_body(max_bytes, keep); }
RequestParser::Stage RequestParser::stage() const { return implementation_->stage_; }
const Refusal &RequestParser::refusal() const { return implementation_->refusal_; }
Request &RequestParser::request() { return implementation_->request_; }
bool RequestParser::has_body() const { return !implementation_->is_done(); }
bool RequestParser::keep_alive() const { return implementation_->keep_alive(); }
bool RequestParser::is_http_1_0() const { return implementation_->version_ < 11; }
bool RequestParser::is_head() const { return implementation_->head_; }
bool RequestParser::is_asterisk() const { return implementation_->asterisk_; }
bool RequestParser::expects_continue() const { return implementation_->expects_continue_; }
std::optional<std::uint64_t> RequestParser::body_left() const { return implementation_->body_left(); }
std::optional<std::uint64_t> RequestParser::content_length() const {
    const auto length = implementation_->content_length();
    return length ? std::optional(*length) : std::nullopt;
}

} // namespace weir::http
