// SPDX-License-Identifier: Apache-2.0
#include "contract_support.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::test {

bool always(const BrokerCapabilities &) { return true; }

int rounds() {
    const char *given = std::getenv("WEIR_TEST_ROUNDS");
    return given ? std::atoi(given) : 1;
}

std::vector<broker::Outgoing> numbered(int from, int count, const std::string &key) {
    std::vector<broker::Outgoing> out;
    for (int number = from; number < from + count; ++number) {
        out.push_back({key, {}, std::to_string(number)});
    }
    return out;
}

std::vector<std::string> bodies(const Batch &batch) {
    std::vector<std::string> out;
    for (const auto &message : batch) {
        out.push_back(message->body);
    }
    return out;
}

std::vector<std::string> expected(int from, int count) {
    std::vector<std::string> out;
    for (int number = from; number < from + count; ++number) {
        out.push_back(std::to_string(number));
    }
    return out;
}

std::unique_ptr<broker::Consumer> subscribe(broker::Broker &broker, const std::string &consumer, bool parallel, const std::string &topic) {
    return broker.subscribe({"g", consumer, {topic}, parallel});
}

void claim_all(broker::Consumer &consumer) {
    for (const auto &partition : consumer.partitions()) {
        consumer.claim(partition, std::nullopt);
    }
}

Batch read_count(broker::Consumer &consumer, std::size_t count, broker::ReadLimits limits, std::chrono::milliseconds patience) {
    Batch all;
    while (all.size() < count) {
        const Batch some = consumer.read(limits, patience);
        if (some.empty()) {
            break;
        }
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

Batch read_rest(broker::Consumer &consumer, broker::ReadLimits limits) {
    return read_count(consumer, static_cast<std::size_t>(-1), limits, std::chrono::milliseconds(0));
}

Child::Child(const std::function<int(const Say &)> &work) {
    int ends[2];
    if (pipe(ends) != 0 || (pid_ = fork()) < 0) {
        throw std::runtime_error("no child process can be made");
    }
    fcntl(ends[1], F_SETPIPE_SZ, 4096); // so that a child does not run far ahead of what its parent has heard
    if (pid_ == 0) {
        close(ends[0]);
        const Say say = [&](const std::string &text) {
            const std::string line = text + "\n";
            std::size_t done = 0;
            while (done < line.size()) {
                const auto written = write(ends[1], line.data() + done, line.size() - done);
                if (written <= 0) {
                    _exit(98);
                }
                done += static_cast<std::size_t>(written);
            }
        };
        int status = 99;
        try {
            status = work(say);
        } catch (const std::exception &error) {
            say(std::string("error: ") + error.what());
        }
        _exit(status);
    }
    close(ends[1]);
    pipe_ = ends[0];
}

Child::Child(Child &&other) noexcept : pid_(other.pid_), pipe_(other.pipe_), buffer_(std::move(other.buffer_)) {
    other.pid_ = -1;
    other.pipe_ = -1;
}

Child::~Child() {
    if (pid_ > 0) {
        kill();
        wait();
    }
    if (pipe_ >= 0) {
        close(pipe_);
    }
}

bool Child::buffered(std::string &out) {
    const auto end = buffer_.find('\n');
    if (end == std::string::npos) {
        return false;
    }
    out = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return true;
}

bool Child::line(std::string &out) {
    while (!buffered(out)) {
        char bytes[4096];
        const auto got = read(pipe_, bytes, sizeof bytes);
        if (got <= 0) {
            return false;
        }
        buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    return true;
}

void Child::kill() { ::kill(pid_, SIGKILL); }

int Child::wait(std::vector<std::string> *rest) {
    std::string text;
    while (line(text)) {
        if (rest) {
            rest->push_back(text);
        }
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace weir::test
