// SPDX-License-Identifier: Apache-2.0
#include "engine/route_failure.hpp"

namespace weir::engine {

RouteAnswer RouteAnswer::problem(int status, std::string code, std::string detail) {
    RouteAnswer answer;
    answer.status = status;
    answer.is_problem = true;
    answer.code = std::move(code);
    answer.detail = std::move(detail);
    return answer;
}

RouteAnswer try_again(std::string code, std::string detail) {
    RouteAnswer answer = RouteAnswer::problem(503, std::move(code), std::move(detail));
    answer.retry_after = std::chrono::seconds(1);
    return answer;
}

bool is_late(const RouteRequest &request) { return request.deadline && std::chrono::steady_clock::now() > *request.deadline; }

RouteAnswer too_late() {
    return RouteAnswer::problem(504, "too_late", "the answer was not there in time (engine.handler_budget_ms); nothing was changed");
}

RouteFailure failure_of(const std::exception_ptr &failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const store::DataRefused &) {
        return {RouteAnswer::problem(409, "conflict", "the change doesn't go with what is stored, such as a value that must be unique"),
                ""};
    } catch (const store::RunAgain &error) {
        return {try_again("contended", "others change the same rows; try again"), error.what()};
    } catch (const store::SchemaWrong &error) {
        return {try_again("schema_wrong", "the domain's tables don't fit; the operator's log says what to change"), error.what()};
    } catch (const store::InDoubt &error) {
        return {try_again("in_doubt", "whether the change was made is not known; try again under the same Idempotency-Key"), error.what()};
    } catch (const store::Unavailable &error) {
        return {try_again("store_unavailable", "the domain's store can't be reached; try again"), error.what(), true};
    } catch (const std::exception &error) {
        return {RouteAnswer::problem(500, "internal", "the request could not be answered; the operator's log says why"), error.what()};
    } catch (...) {
        return {RouteAnswer::problem(500, "internal", "the request could not be answered; the operator's log says why"),
                "an exception of unknown type"};
    }
}

} // namespace weir::engine
