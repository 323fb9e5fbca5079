// SPDX-License-Identifier: Apache-2.0
#include "http/pending_reply.hpp"
#include "http/problem.hpp"
#include "http/problem_types.hpp"

namespace weir::http {

Reply::Pending::~Pending() {
    if (!answered.exchange(true)) {
        sink(problem(500, "The handler has given no answer", problem_types::kHandlerFailed));
    }
}

Reply::Reply(std::shared_ptr<Pending> pending) : pending_(std::move(pending)) {}

void Reply::operator()(Response response) const {
    if (!pending_->answered.exchange(true)) {
        pending_->sink(std::move(response));
    }
}

bool Reply::wanted() const { return !pending_->answered.load(); }

} // namespace weir::http
