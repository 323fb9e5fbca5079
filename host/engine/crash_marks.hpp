// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "event/uuid.hpp"

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

    /// The marks that dead processes left for a domain. They stay until `forget`, so that a reader that dies as well loses none.
    static std::vector<Found> find(const std::filesystem::path &directory, const std::string &domain);
    static void forget(const std::filesystem::path &directory, const std::string &domain);

    /// Held while marks are counted, so that hosts which share the directory don't count one twice; waits for whoever counts. Where the
    /// file system has no locks, nothing is held.
    class Turn {
    public:
        Turn(const std::filesystem::path &directory, const std::string &domain);
        ~Turn();
        Turn(const Turn &) = delete;
        Turn &operator=(const Turn &) = delete;

    private:
        int file_ = -1;
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
