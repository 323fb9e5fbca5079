// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::broker::embedded {

/// Tells waiting readers, in this process and in others, that something was published. A publisher writes a byte to `FILE-wake` after its
/// commit; readers watch that file with inotify. (The WAL itself is written before the commit can be seen, and also by readers.)
class Doorbell {
public:
    /// One reader's ear.
    class Listener {
    public:
        explicit Listener(const std::filesystem::path &file);
        ~Listener();
        Listener(const Listener &) = delete;
        Listener &operator=(const Listener &) = delete;

        /// Waits until the bell rings, `poke` is called or the deadline passes. Rings since the last call count.
        void wait_until(std::chrono::steady_clock::time_point deadline);
        /// Any thread.
        void poke() noexcept;
        /// False where inotify is not to be had: then whoever waits must look by itself.
        bool hears_others() const { return inotify_ >= 0; }

    private:
        int event_ = -1;
        int inotify_ = -1;
    };

    explicit Doorbell(const std::filesystem::path &file);
    ~Doorbell();
    Doorbell(const Doorbell &) = delete;
    Doorbell &operator=(const Doorbell &) = delete;

    /// Any thread; never fails: a ring that is lost costs a reader's next look.
    void ring() noexcept;
    std::unique_ptr<Listener> listen();
    void forget(const Listener *listener);

private:
    std::filesystem::path path_;
    int file_ = -1;
    std::mutex mutex_;
    std::vector<Listener *> listeners_;
};

} // namespace weir::broker::embedded
