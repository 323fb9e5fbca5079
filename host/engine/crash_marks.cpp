// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_marks.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace weir::engine {

// Fixed-size text, so that a half-written record is at worst a cut-off name. `running` is written last and cleared first.
struct CrashMarks::Record {
    volatile std::uint32_t running;
    volatile std::int32_t signal;
    std::uint8_t event_id[16];
    char topic[128];
    char position[48];
    char plugin[128];
    char handler[160];
};

struct CrashMarks::Pool {
    std::mutex mutex;
    std::array<bool, kSlots> taken{};
};

namespace {

// The slot of the handler that runs on this thread, for the signal handler. initial-exec, so that reading it allocates nothing.
[[gnu::tls_model("initial-exec")]] thread_local volatile std::int32_t *running_signal = nullptr;

constexpr std::size_t kRecordBytes = 512;
constexpr std::size_t kFileBytes = (CrashMarks::kSlots + 1) * kRecordBytes; // the first is the header

// What is true of the whole process: so that a domain whose handlers only ran meanwhile is no suspect.
struct Header {
    volatile std::int32_t signal; // the process ended by it, in some domain's handler
    std::uint32_t orderly;        // the process left on purpose; handlers that still ran were abandoned
};

// The headers of all files of this process, for the signal handler.
constexpr std::size_t kMostFiles = 256;
std::array<std::atomic<Header *>, kMostFiles> headers{};
std::atomic<int> header_users{0}; // whose files stay mapped until they are done

void note_orderly(Header &header) noexcept { // on any thread
    std::atomic_ref(header.orderly).store(1);
}

void put(char *target, std::size_t capacity, std::string_view text) noexcept {
    const std::size_t count = std::min(capacity - 1, text.size());
    std::memcpy(target, text.data(), count);
    target[count] = '\0';
}

void on_fatal_signal(int number) {
    if (running_signal) {
        *running_signal = number;
        for (const auto &header : headers) {
            if (Header *known = header.load(std::memory_order_relaxed)) {
                known->signal = number;
            }
        }
    }
    // SA_RESETHAND has restored the default: the fault repeats, or the raised signal ends the process now.
    raise(number);
}

std::string file_prefix(const std::string &domain) { return domain + "."; }

bool is_mark_of(const std::filesystem::path &file, const std::string &domain) {
    const std::string name = file.filename().string();
    return name.starts_with(file_prefix(domain)) && name.ends_with(".mark") &&
           name.find('.', domain.size() + 1) == name.size() - 5; // a domain "a" must not find the marks of "a.b"
}

// Each is held open, and locked, while its marks are counted.
constexpr std::size_t kMostClaimed = 200;
constexpr int kLookForTurnMs = 5;

bool is_removed(int file) {
    struct stat about {};
    return fstat(file, &about) != 0 || about.st_nlink == 0;
}

} // namespace

void install_crash_signal_handlers() {
    struct sigaction action {};
    action.sa_handler = on_fatal_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    sigemptyset(&action.sa_mask);
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
        sigaction(number, &action, nullptr);
    }
}

CrashMarks::CrashMarks(const std::filesystem::path &directory, const std::string &domain) : pool_(std::make_unique<Pool>()) {
    static_assert(sizeof(Record) <= kRecordBytes);
    std::filesystem::create_directories(directory);
    // Named `.mark` only once it is locked: before, a neighbour would take it for a dead process's.
    path_ = directory / (file_prefix(domain) + event::Uuid::random().text() + ".mark");
    const std::filesystem::path unlocked = path_.string() + ".new";
    file_ = open(unlocked.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    // Allocated, not only sized: a write to a hole of a mapped file is SIGBUS where the disk is full.
    const int unallocated = file_ < 0 ? errno : posix_fallocate(file_, 0, kFileBytes);
    if (unallocated != 0 || flock(file_, LOCK_EX | LOCK_NB) != 0 || rename(unlocked.c_str(), path_.c_str()) != 0) {
        const int reason = unallocated != 0 ? unallocated : errno;
        unlink(unlocked.c_str());
        if (file_ >= 0) {
            close(file_);
        }
        throw std::system_error(reason, std::generic_category(), "state_directory: cannot write " + path_.string());
    }
    memory_ = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (memory_ == MAP_FAILED) {
        const int reason = errno;
        close(file_);
        throw std::system_error(reason, std::generic_category(), "state_directory: cannot map " + path_.string());
    }
    for (auto &header : headers) {
        Header *none = nullptr;
        if (header.compare_exchange_strong(none, static_cast<Header *>(memory_))) {
            break;
        }
    }
}

void CrashMarks::end_orderly() noexcept { note_orderly(*static_cast<Header *>(memory_)); }

void CrashMarks::end_all_orderly() noexcept {
    ++header_users;
    for (const auto &header : headers) {
        if (Header *known = header.load()) {
            note_orderly(*known);
        }
    }
    --header_users;
}

CrashMarks::~CrashMarks() {
    for (auto &header : headers) {
        auto *mine = static_cast<Header *>(memory_);
        header.compare_exchange_strong(mine, nullptr);
    }
    while (header_users != 0) {
        std::this_thread::yield();
    }
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    munmap(memory_, kFileBytes);
    close(file_);
}

CrashMarks::Record *CrashMarks::record(std::size_t index) const noexcept {
    return reinterpret_cast<Record *>(static_cast<char *>(memory_) + (index + 1) * kRecordBytes);
}

CrashMarks::Slot::Slot(std::shared_ptr<CrashMarks> marks, const std::string &plugin) : marks_(std::move(marks)), index_(kSlots) {
    const std::lock_guard lock(marks_->pool_->mutex);
    for (std::size_t i = 0; i < kSlots; ++i) {
        if (!marks_->pool_->taken[i]) {
            marks_->pool_->taken[i] = true;
            index_ = i;
            break;
        }
    }
    if (index_ == kSlots) {
        throw std::length_error("more handler threads than crash marks");
    }
    put(marks_->record(index_)->plugin, sizeof(Record::plugin), plugin);
}

CrashMarks::Slot::~Slot() {
    end();
    const std::lock_guard lock(marks_->pool_->mutex);
    marks_->pool_->taken[index_] = false;
}

void CrashMarks::Slot::begin(const event::Event &event, const std::string &handler) noexcept {
    Record *record = marks_->record(index_);
    std::memcpy(record->event_id, event.id.bytes.data(), sizeof(record->event_id));
    put(record->topic, sizeof(record->topic), event.message->topic);
    put(record->position, sizeof(record->position), event::format_position(event.message->position, event.message->two_part_position));
    put(record->handler, sizeof(record->handler), handler);
    record->signal = 0;
    running_signal = &record->signal;
    record->running = 1;
}

void CrashMarks::Slot::end() noexcept {
    marks_->record(index_)->running = 0;
    running_signal = nullptr;
}

CrashMarks::Left::Left(const std::filesystem::path &directory, const std::string &domain) {
    claimed_.reserve(kMostClaimed);
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end && claimed_.size() < kMostClaimed;
         at.increment(error)) {
        if (!is_mark_of(at->path(), domain)) {
            continue;
        }
        const int file = open(at->path().c_str(), O_RDWR | O_CLOEXEC);
        if (file < 0) {
            continue;
        }
        // Its process lives, or somebody counts it, or has counted it since it was opened here.
        if (flock(file, LOCK_EX | LOCK_NB) != 0 || is_removed(file)) {
            close(file);
            continue;
        }
        claimed_.push_back({at->path(), file});
        read(file);
    }
}

CrashMarks::Left::~Left() {
    for (const Claimed &claimed : claimed_) {
        close(claimed.file);
    }
}

void CrashMarks::Left::forget() noexcept {
    for (const Claimed &claimed : claimed_) {
        unlink(claimed.path.c_str()); // before it is let go
    }
}

void CrashMarks::Left::read(int file) {
    Header header{};
    if (pread(file, &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header))) {
        return;
    }
    for (std::size_t i = 0; i < kSlots; ++i) {
        Record record{};
        const auto offset = static_cast<off_t>((i + 1) * kRecordBytes);
        if (pread(file, &record, sizeof(record), offset) != static_cast<ssize_t>(sizeof(record)) || record.running == 0) {
            continue;
        }
        if ((header.signal != 0 || header.orderly != 0) && record.signal == 0) {
            continue; // it only ran when another one ended the process, or was left behind on purpose
        }
        record.topic[sizeof(record.topic) - 1] = record.position[sizeof(record.position) - 1] = '\0';
        record.plugin[sizeof(record.plugin) - 1] = record.handler[sizeof(record.handler) - 1] = '\0';
        Found found;
        std::memcpy(found.event_id.bytes.data(), record.event_id, sizeof(record.event_id));
        found.topic = record.topic;
        found.position = record.position;
        found.plugin = record.plugin;
        found.handler = record.handler;
        found.signal = record.signal;
        found_.push_back(std::move(found));
    }
}

// Looked at again and again, because a lock can't be waited for with a deadline.
CrashMarks::Turn::Turn(const std::filesystem::path &directory, const std::string &domain, std::chrono::milliseconds patience)
    : file_(open((directory / (file_prefix(domain) + "turn")).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (file_ >= 0 && !(is_mine_ = flock(file_, LOCK_EX | LOCK_NB) == 0) && (errno == EWOULDBLOCK || errno == EINTR) &&
           std::chrono::steady_clock::now() < until) {
        poll(nullptr, 0, kLookForTurnMs);
    }
}

CrashMarks::Turn::~Turn() {
    if (file_ >= 0) {
        close(file_);
    }
}

} // namespace weir::engine
