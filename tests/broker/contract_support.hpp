// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker_contract.hpp"

#include <functional>
#include <random>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::test {

using Batch = std::vector<std::shared_ptr<const broker::Message>>;

std::vector<BrokerPromise> delivery_promises();
std::vector<BrokerPromise> group_promises();
std::vector<BrokerPromise> process_promises();

bool always(const BrokerCapabilities &);

/// How much more than usual the random tests do (WEIR_TEST_ROUNDS).
int rounds();

/// Bodies "from", "from + 1", ... without a key unless one is given.
std::vector<broker::Outgoing> numbered(int from, int count, const std::string &key = "");
/// The bodies, in order.
std::vector<std::string> bodies(const Batch &batch);
std::vector<std::string> expected(int from, int count);

std::unique_ptr<broker::Consumer> subscribe(broker::Broker &broker, const std::string &consumer, bool parallel = false,
                                            const std::string &topic = "t");
/// Claims every partition.
void claim_all(broker::Consumer &consumer);
/// Reads until `count` messages are there or nothing comes for `patience`.
Batch read_count(broker::Consumer &consumer, std::size_t count, broker::ReadLimits limits = {},
                 std::chrono::milliseconds patience = std::chrono::seconds(10));
/// Reads whatever is there now.
Batch read_rest(broker::Consumer &consumer, broker::ReadLimits limits = {});

/// A forked process that runs `work` and can say lines to its parent. Dead and reaped when this object is gone.
class Child {
public:
    using Say = std::function<void(const std::string &)>;
    /// `work` gets the means to speak; its return value becomes the exit status, an exception 99 (its text is said first as "error: ...").
    explicit Child(const std::function<int(const Say &)> &work);
    ~Child();
    Child(Child &&other) noexcept;
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    /// One line; false at the end of what it says.
    bool line(std::string &out);
    void kill();
    /// Waits for its end; everything it still says is appended to `rest`. -1 where it was killed.
    int wait(std::vector<std::string> *rest = nullptr);

private:
    bool buffered(std::string &out);
    pid_t pid_ = -1;
    int pipe_ = -1;
    std::string buffer_;
};

} // namespace weir::test
