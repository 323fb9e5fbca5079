// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "event/uuid.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace weir::engine {

/**
 * Which event's handler ran when a host died.
 *
 * A mark is a slot in a file mapped into memory: writing it costs a copy of some bytes and survives the process, whatever ends it (it need
 * not survive the machine: a power cut is no handler's fault). A signal that a handler causes is noted in the slot of its thread. The file
 * is locked while its process lives, so that others can tell the marks of the dead.
 */
class CrashMarks {
public:
    static constexpr std::size_t kSlots = 127;

    /// What a dead process was doing.
    struct Found {
        event::Uuid event_id;
        std::string topic;
        std::string position;
        std::string plugin;  ///< "linting 1.0.0, generation 3"
        std::string handler; ///< symbol
        int signal = 0;      ///< 0: killed from outside
    };

    /// Makes this process's file for a domain. Throws std::system_error where the directory can't be written.
    CrashMarks(const std::filesystem::path &directory, const std::string &domain);
    ~CrashMarks(); ///< removes the file
    CrashMarks(const CrashMarks &) = delete;
    CrashMarks &operator=(const CrashMarks &) = delete;

    /// The process is about to leave on purpose: handlers that still run are no crashes.
    void end_orderly() noexcept;
    /// The same of all marks that this process has. Async-signal-safe.
    static void end_all_orderly() noexcept;

    /// One thread's slot; freed with it. Thread-safe.
    class Slot {
    public:
        Slot(std::shared_ptr<CrashMarks> marks, const std::string &plugin);
        ~Slot();
        Slot(const Slot &) = delete;
        Slot &operator=(const Slot &) = delete;
        /// The handler is about to run, on the calling thread.
        void begin(const event::Event &event, const std::string &handler) noexcept;
        void end() noexcept;

    private:
        std::shared_ptr<CrashMarks> marks_; // a handler that never returns outlives its domain
        std::size_t index_;
    };

    /// What dead processes left for a domain, claimed: while this lives nobody else sees these marks, even where this process stands still.
    /// They stay until `forget`, so that one that dies as well loses none.
    class Left {
    public:
        /// Claims what nobody else has claimed. Of very many files a part: the rest is the next one's.
        Left(const std::filesystem::path &directory, const std::string &domain);
        ~Left();
        Left(const Left &) = delete;
        Left &operator=(const Left &) = delete;

        const std::vector<Found> &found() const noexcept { return found_; }
        /// Removes what is claimed here.
        void forget() noexcept;

    private:
        void read(int file);

        struct Claimed {
            std::filesystem::path path;
            int file; ///< locked
        };
        std::vector<Claimed> claimed_;
        std::vector<Found> found_;
    };

    /// Held while marks are counted, so that hosts which share the directory add to what the one before has stored. Not held where the file
    /// system has no locks.
    class Turn {
    public:
        /// @param patience how long whoever counts is waited for; it may stand still
        Turn(const std::filesystem::path &directory, const std::string &domain, std::chrono::milliseconds patience);
        ~Turn();
        Turn(const Turn &) = delete;
        Turn &operator=(const Turn &) = delete;

        /// Nobody else counts, as far as can be told.
        bool is_mine() const noexcept { return is_mine_; }

    private:
        int file_ = -1;
        bool is_mine_ = false;
    };

private:
    struct Record;
    Record *record(std::size_t index) const noexcept;

    std::filesystem::path path_;
    int file_ = -1;
    void *memory_ = nullptr;
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

/// Makes fatal signals (SEGV, BUS, FPE, ILL, ABRT, SYS) note themselves in the running handler's mark before they end the process as they
/// would have.
void install_crash_signal_handlers();

} // namespace weir::engine
