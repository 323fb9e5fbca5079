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

// @return what it was
std::string Harm::harm_connections(Kind kind, int host, bool of_broker) {
    TcpProxy &proxy = of_broker ? field_.broker_proxy(host) : field_.store_proxy(host);
    const std::chrono::milliseconds while_(100 + below(900));
    const Way way = some_way();
    std::string name;
    switch (kind) {
    case Kind::cut:
        name = "cut";
        proxy.cut();
        last(while_ / 4); // before the other's turn
        break;
    case Kind::stall: {
        const bool is_long = below(2) == 0; // longer than the host waits for an answer
        const std::chrono::milliseconds patience(of_broker ? ChaosField::kBrokerPatience_ms : ChaosField::kStorePatience_ms);
        name = is_long ? "stall beyond patience" : "stall";
        proxy.stall(way);
        last(is_long ? patience + while_ : while_);
        proxy.resume();
        break;
    }
    case Kind::half_close:
        name = "half close";
        proxy.half_close(way);
        last(while_ / 4);
        break;
    case Kind::refuse:
        name = "refuse";
        proxy.refuse(true);
        proxy.cut();
        last(while_);
        proxy.refuse(false);
        break;
    default:
        name = "delay";
        proxy.delay(while_ / 20);
        last(while_);
        proxy.delay(std::chrono::milliseconds(0));
        break;
    }
    name += of_broker ? " of the broker" : " of the store";
    ++done_[name];
    return name;
}

std::string Harm::next() {
    if (order_.empty()) {
        for (int kind = 0; kind < kKinds; ++kind) {
            order_.push_back(static_cast<Kind>(kind));
        }
        std::shuffle(order_.begin(), order_.end(), random_);
    }
    const Kind kind = order_.front();
    order_.pop_front();
    const int host = static_cast<int>(below(ChaosField::kHosts));
    const std::chrono::milliseconds while_(100 + below(900));
    std::vector<Fault> faults{Fault::cut_before, Fault::reply_lost, Fault::rolled_back, Fault::refused};
    std::shuffle(faults.begin(), faults.end(), random_);
    std::string name;
    std::string more;
    switch (kind) {
    case Kind::cut:
    case Kind::stall:
    case Kind::half_close:
    case Kind::refuse:
    case Kind::delay: {
        const bool broker_first = below(2) == 0;
        const std::string first = harm_connections(kind, host, broker_first);
        return first + ", " + harm_connections(kind, host, !broker_first) + ", of host " + std::to_string(host);
    }
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
    }
    ++done_[name];
    return name + more;
}

} // namespace weir::test
