// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace weir::test {

/// What shall happen at marks, and what has. Shared by the connections of a proxy, under its mutex.
struct FaultPlan {
    std::deque<Fault> armed;
    std::map<Fault, int> fired;
    int marks = 0;
};

/// One connection's bytes on their way. One thread.
class ProxyFilter {
public:
    virtual ~ProxyFilter() = default;
    /// Takes what has come, and appends what is to be passed on now to @param passed. False: the connection is to be cut at once.
    virtual bool feed(Way way, std::string_view bytes, std::string &passed) = 0;
};

/// Passes everything; the mark is a text in what clients send.
std::unique_ptr<ProxyFilter> make_text_filter(FaultPlan &plan, const std::string &mark);

/// Reads PostgreSQL's frontend/backend protocol, version 3, as far as the length of its messages, the text of Query and Parse, and the tag
/// of CommandComplete; the mark is a statement COMMIT (or END) that ends such a text.
std::unique_ptr<ProxyFilter> make_postgres_filter(FaultPlan &plan);

} // namespace weir::test
