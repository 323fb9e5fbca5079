// SPDX-License-Identifier: Apache-2.0
#include "http/event_stream.hpp"

#include "http/event_stream_state.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace weir::http {

namespace {

// A line end in a name would begin another field.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::erase_if(line, [](char character) { return character == '\r' || character == '\n' || character == '\0'; });
    return line;
}

std::string text_of(const ServerEvent &event) {
    std::string out;
    if (!event.type.empty()) {
        out += "event: " + one_line(event.type) + "\n";
    }
    if (!event.id.empty()) {
        out += "id: " + one_line(event.id) + "\n";
    }
    std::string_view rest = event.data;
    for (bool more = true; more;) {
        const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
        out += "data: ";
        out += rest.substr(0, end);
        out += '\n';
        more = end < rest.size();
        rest.remove_prefix(std::min(rest.substr(end, 2) == "\r\n" ? end + 2 : end + 1, rest.size()));
    }
    return out + "\n";
}

} // namespace

bool EventStream::State::send(const ServerEvent &event) {
    const std::string text = text_of(event);
    std::function<void()> call;
    bool overflow = false;
    {
        const std::lock_guard lock(mutex);
        if (ended) {
            return false;
        }
        if (waiting.size() + text.size() > options.max_bytes) {
            overflow = !options.latest_only || text.size() > options.max_bytes;
            waiting.clear();
        }
        if (!overflow) {
            waiting += text;
            if (!notified && notify) {
                notified = true;
                call = notify;
            }
        }
    }
    if (overflow) {
        end();
        return false;
    }
    if (call) {
        call();
    }
    return true;
}

void EventStream::State::end() {
    std::function<void()> call;
    std::vector<std::function<void()>> calls;
    {
        const std::lock_guard lock(mutex);
        if (std::exchange(ended, true)) {
            return;
        }
        call = std::exchange(notify, nullptr);
        calls.swap(at_end);
    }
    if (call) {
        call();
    }
    for (const auto &one : calls) {
        one();
    }
}

EventStream::State::Taken EventStream::State::take() {
    const std::lock_guard lock(mutex);
    notified = false;
    return {std::exchange(waiting, {}), ended};
}

void EventStream::State::attach(std::function<void()> call) {
    bool now = false;
    {
        const std::lock_guard lock(mutex);
        now = ended || !waiting.empty();
        notified = now;
        if (!ended) {
            notify = call;
        }
    }
    if (now) {
        call();
    }
}

EventStream::EventStream(EventStreamOptions options) : state_(std::make_shared<State>(options)) {}
EventStream::~EventStream() { state_->end(); }
bool EventStream::send(const ServerEvent &event) { return state_->send(event); }
void EventStream::end() { state_->end(); }

bool EventStream::ended() const {
    const std::lock_guard lock(state_->mutex);
    return state_->ended;
}

void EventStream::when_ended(std::function<void()> call) {
    {
        const std::lock_guard lock(state_->mutex);
        if (!state_->ended) {
            state_->at_end.push_back(std::move(call));
            return;
        }
    }
    call();
}

} // namespace weir::http
