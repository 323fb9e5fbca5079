// SPDX-License-Identifier: Apache-2.0
#include "harm.hpp"

#include <algorithm>
#include <csignal>
#include <thread>

namespace weir::test {

namespace {

/// How long a thing lasts is what it is: there is no condition to wait for.
void last(std::chrono::milliseconds duration) { std::this_thread::sleep_for(duration); }

} // namespace

TcpProxy &Harm::some_proxy(int host) { return below(2) == 0 ? field_.broker_proxy(host) : field_.store_proxy(host); }

std::string Harm::next() {
    if (order_.empty()) {
        for (int kind = 0; kind < static_cast<int>(Kind::count); ++kind) {
            order_.push_back(static_cast<Kind>(kind));
        }
        std::shuffle(order_.begin(), order_.end(), random_);
    }
    const Kind kind = order_.front();
    order_.pop_front();
    const int host = static_cast<int>(below(ChaosField::kHosts));
    const std::chrono::milliseconds while_(100 + below(900));
    TcpProxy &proxy = some_proxy(host);
    const Way way = some_way();
    std::vector<Fault> faults{Fault::cut_before, Fault::reply_lost, Fault::rolled_back, Fault::refused};
    std::shuffle(faults.begin(), faults.end(), random_);
    const std::string where = " of host " + std::to_string(host) + (&proxy == &field_.broker_proxy(host) ? "'s broker" : "'s store");
    std::string name;
    std::string more;
    switch (kind) {
    case Kind::cut:
        name = "cut";
        more = where;
        proxy.cut();
        break;
    case Kind::stall: {
        const bool is_store = &proxy != &field_.broker_proxy(host);
        const bool is_long = below(2) == 0; // longer than the host waits for an answer
        const std::chrono::milliseconds patience(is_store ? ChaosField::kStorePatience_ms : ChaosField::kBrokerPatience_ms);
        name = is_long ? "stall beyond patience" : "stall";
        more = where;
        proxy.stall(way);
        last(is_long ? patience + while_ : while_);
        proxy.resume();
        break;
    }
    case Kind::half_close:
        name = "half close";
        more = where;
        proxy.half_close(way);
        break;
    case Kind::refuse:
        name = "refuse";
        more = where;
        proxy.refuse(true);
        proxy.cut();
        last(while_);
        proxy.refuse(false);
        break;
    case Kind::delay:
        name = "delay";
        more = where;
        proxy.delay(while_ / 20);
        last(while_);
        proxy.delay(std::chrono::milliseconds(0));
        break;
    case Kind::commit:
        name = "commit faults";
        more = ", of both hosts";
        for (int i = 0; i < ChaosField::kHosts; ++i) {
            for (const Fault fault : faults) {
                field_.store_proxy(i).arm(fault);
            }
        }
        break;
    case Kind::ack:
        name = "acknowledgement faults";
        more = ", of both hosts";
        for (int i = 0; i < ChaosField::kHosts; ++i) {
            field_.broker_proxy(i).arm(Fault::reply_lost);
            field_.broker_proxy(i).arm(Fault::cut_before);
        }
        break;
    case Kind::restart_postgres:
        name = "restart of PostgreSQL";
        field_.postgres.restart();
        break;
    case Kind::kill_postgres:
        name = "kill -9 of PostgreSQL";
        field_.postgres.kill();
        last(while_ / 4);
        field_.postgres.start();
        break;
    case Kind::restart_redis:
        name = "restart of Redis";
        field_.redis.restart();
        break;
    case Kind::kill_redis:
        name = "kill -9 of Redis";
        field_.redis.kill();
        last(while_ / 4);
        field_.redis.start();
        break;
    case Kind::freeze: // past its lease: the other takes over, and this one wakes up late
        name = "freeze";
        more = " of host " + std::to_string(host);
        field_.host(host).signal(SIGSTOP);
        last(std::chrono::milliseconds(ChaosField::kLease_ms * 2) + while_);
        field_.host(host).signal(SIGCONT);
        break;
    case Kind::count:
        break;
    }
    ++done_[name];
    return name + more;
}

} // namespace weir::test
