// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_client.hpp"

#include <memory>
#include <set>
#include <string>

namespace weir::test {

/// An OpenAPI document as a host serves it, to hold its answers against. Schemas are read as those of draft 7: the host's use what that has
/// in common with 2020-12.
class ServedDocument {
public:
    /// @throws std::runtime_error where the text is none
    explicit ServedDocument(const std::string &text);
    ~ServedDocument();
    ServedDocument(const ServedDocument &) = delete;
    ServedDocument &operator=(const ServedDocument &) = delete;

    /// What is wrong with the document itself: references to nothing, parameters of a path that aren't described, ids that are there twice.
    std::string problems() const;

    /// "GET /api/domains", ...
    const std::set<std::string> &operations() const { return operations_; }

    /// How an answer differs from what the document says of it: status, media type, body. Empty where it doesn't. Answers to what isn't in
    /// the document are problem details.
    std::string differs(const std::string &method, const std::string &target, const HttpAnswer &answer);

    /// The operations that have been answered with 200 so far.
    const std::set<std::string> &answered() const { return answered_; }

private:
    struct Content;
    std::unique_ptr<Content> content_;
    std::set<std::string> operations_;
    std::set<std::string> answered_;
};

} // namespace weir::test
