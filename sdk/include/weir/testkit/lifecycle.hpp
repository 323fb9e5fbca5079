// SPDX-License-Identifier: Apache-2.0
/// @file
/// The life of an instance: loaded, configured, running, draining, closed; enforced on both sides.
#pragma once

#include "call.hpp"

#include <mutex>

namespace weir::testkit {

/// An instance that the plugin declines to make or start; what() is the reason it gave.
class Refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * Takes one instance through its life and notes every step that abi/plugin.h doesn't allow. Used by one thread, which counts as
 * the control thread; handlers may run on others. A call in the wrong state, by the test itself, throws Misuse.
 */
class Lifecycle {
public:
    /// @param descriptor of a loaded module, outlives this
    /// @param violations where misuse by the plugin is noted, outlives this
    Lifecycle(const weir_plugin_descriptor_v1 &descriptor, std::vector<std::string> &violations)
        : descriptor_(descriptor), violations_(violations), control_(std::this_thread::get_id()) {
        host_.size = sizeof(host_);
        host_.abi_minor = WEIR_ABI_MINOR;
        host_.self = this;
        host_.version = weir::detail::view("testkit");
        host_.log = [](const weir_host_v1 *host, std::uint32_t, weir_view line) { of(host).note_log(line); };
        host_.error = [](const weir_host_v1 *host, weir_view message) { of(host).note_error(message); };
        host_.extension = [](const weir_host_v1 *host, weir_view) -> const void * {
            of(host).on_control_thread("host->extension");
            return nullptr;
        };
    }
    Lifecycle(const Lifecycle &) = delete;
    Lifecycle &operator=(const Lifecycle &) = delete;

    /// Where the instance is.
    State state() const noexcept { return state_; }
    /// What handlers are given.
    void *instance() const noexcept { return instance_; }
    /// What the instance logged through its host, from any thread.
    const std::vector<std::string> &log() const noexcept { return log_; }

    /// loaded to configured. Throws Refused where the plugin declines.
    void create(const weir_setup_v1 &setup) {
        step("create", State::loaded, State::configured);
        if (!descriptor_.create) {
            return;
        }
        inside_ = true;
        error_.clear();
        const weir_status status = descriptor_.create(&host_, &setup, &instance_);
        inside_ = false;
        if (status != WEIR_OK) {
            state_ = State::closed;
            declined("create", status);
        }
    }
    /// configured to running. Throws Refused where the plugin declines; the instance is destroyed then.
    void start() {
        step("start", State::configured, State::running);
        if (!descriptor_.start) {
            return;
        }
        inside_ = true;
        error_.clear();
        const weir_status status = descriptor_.start(instance_);
        inside_ = false;
        if (status != WEIR_OK) {
            state_ = State::draining;
            destroy();
            declined("start", status);
        }
    }
    /// running to draining.
    void drain() {
        step("drain", State::running, State::draining);
        if (descriptor_.drain) {
            inside_ = true;
            descriptor_.drain(instance_);
            inside_ = false;
        }
    }
    /// draining to closed.
    void destroy() {
        step("destroy", State::draining, State::closed);
        if (descriptor_.destroy) {
            descriptor_.destroy(instance_);
        }
        instance_ = nullptr;
    }
    /// Throws Misuse unless handlers may run.
    void expect_running() const {
        if (state_ != State::running) {
            throw Misuse("a handler runs only between start and drain; the instance is " + name(state_));
        }
    }

private:
    static Lifecycle &of(const weir_host_v1 *host) { return *static_cast<Lifecycle *>(host->self); }
    static std::string name(State state) {
        constexpr const char *names[] = {"loaded", "configured", "running", "draining", "closed"};
        return names[static_cast<int>(state)];
    }

    void step(const char *what, State from, State to) {
        if (state_ != from) {
            throw Misuse(std::string(what) + " is called on an instance that is " + name(from) + "; this one is " + name(state_));
        }
        state_ = to;
    }
    [[noreturn]] void declined(const std::string &what, weir_status status) {
        if (status != WEIR_FATAL) {
            violations_.push_back(what + " returned " + std::to_string(status) + "; it returns WEIR_OK or WEIR_FATAL");
        }
        if (error_.empty()) {
            violations_.push_back(what + " failed without saying why: call host->error, or throw weir::SettingsError");
        }
        throw Refused(error_.empty() ? what + " failed" : error_);
    }
    void on_control_thread(const std::string &what) {
        if (std::this_thread::get_id() != control_) {
            violations_.push_back(what + " was called on another thread than the control thread");
        }
    }
    void note_error(weir_view message) {
        on_control_thread("host->error");
        if (!inside_) {
            violations_.push_back("host->error was called outside create, start and drain");
        }
        error_ = detail::string(message);
    }
    void note_log(weir_view line) {
        const std::lock_guard lock(mutex_);
        if (state_ == State::closed) {
            violations_.push_back("host->log was called after destroy");
        }
        log_.push_back(detail::string(line));
    }

    const weir_plugin_descriptor_v1 &descriptor_;
    std::vector<std::string> &violations_;
    std::thread::id control_;
    weir_host_v1 host_{};
    State state_ = State::loaded;
    void *instance_ = nullptr;
    bool inside_ = false;
    std::string error_;
    std::mutex mutex_;
    std::vector<std::string> log_;
};

} // namespace weir::testkit
