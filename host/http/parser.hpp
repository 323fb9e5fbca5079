// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/request.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

/// Why bytes are no request that is taken. The connection is closed after it was said: where the next request begins is not known.
struct Refusal {
    int status = 400;
    std::string detail;
    std::string type = "about:blank";
};

/// Reads one request from bytes (RFC 9112), with everything that is checked before a route is looked for: syntax, version, Host, framing
/// (no Content-Length beside Transfer-Encoding, none twice, no coding but chunked), target. Not thread-safe.
class RequestParser {
public:
    enum class Stage : std::uint8_t {
        header,   ///< more bytes are needed
        headed,   ///< the header is complete: `request` has all but the body; call `allow_body`
        body,     ///< more bytes of the body are needed
        complete, ///< `request` is whole
        refused   ///< see `refusal`
    };

    /// @param max_header_bytes of request line and fields together
    explicit RequestParser(std::size_t max_header_bytes);
    ~RequestParser();

    /// Takes bytes and says how many it has taken; the rest is to be given again, with what comes after it. It takes none once `headed`,
    /// until `allow_body`, and none after the end of the request.
    std::size_t feed(std::string_view bytes);

    /// Goes on to the body. More than so many bytes of it are refused. @param keep false: it is read and thrown away
    void allow_body(std::size_t max_bytes, bool keep = true);

    Stage stage() const;
    const Refusal &refusal() const;
    Request &request();

    std::optional<std::uint64_t> content_length() const;
    std::optional<std::uint64_t> body_left() const; ///< bytes of it that are still to come; nothing where that isn't known
    bool has_body() const;                          ///< announced by its header
    bool keep_alive() const;                        ///< whether the client lets the connection go on
    bool is_http_1_0() const;                       ///< answers may not be chunked
    bool is_head() const;                           ///< arrives as `get`
    bool is_asterisk() const;                       ///< "OPTIONS *"
    bool expects_continue() const;

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace weir::http
