// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include "files.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace weir::config {

struct Watch::State {
    WatchOptions options;
    std::function<void(Loaded)> changed;
    std::filesystem::path directory; ///< the domain directory that was last named
    std::string told;                ///< the contents that the caller knows of
    std::string seen;                ///< the contents at the last look

    std::mutex mutex;
    std::condition_variable wake;
    bool stopping = false;
    bool reload = false;
    std::thread thread; // last: it uses the rest

    /// Waits for the next look; false at the end. Sets `asked` where somebody wants to be told in any case.
    bool wait(bool &asked) {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, options.interval, [this] { return stopping || reload; });
        asked = reload;
        reload = false;
        return !stopping;
    }

    /// What a load would read now.
    std::string look() const {
        Fingerprint contents;
        contents.add(read_text(options.host_file));
        if (!directory.empty()) {
            contents.add(read_domain_files(directory));
        }
        return contents.text();
    }

    void tell() {
        Loaded loaded = load(options.host_file, options.environment);
        directory = loaded.config.domains_directory;
        told = loaded.fingerprint; // of what was read, so that nothing that changed meanwhile is missed
        seen = told;
        changed(std::move(loaded));
    }

    void run() {
        bool asked = false;
        while (wait(asked)) {
            const std::string now = look();
            if (asked || (now != told && now == seen)) {
                tell();
            } else {
                seen = now;
            }
        }
    }
};

Watch::Watch(WatchOptions options, const Loaded &current, std::function<void(Loaded)> changed) : state_(std::make_unique<State>()) {
    state_->options = std::move(options);
    state_->changed = std::move(changed);
    state_->directory = current.config.domains_directory;
    state_->told = current.fingerprint;
    state_->seen = current.fingerprint;
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Watch::~Watch() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->wake.notify_all();
    state_->thread.join();
}

void Watch::reload() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->reload = true;
    }
    state_->wake.notify_all();
}

} // namespace weir::config
