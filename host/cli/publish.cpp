// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "host_access.hpp"
#include "interrupt.hpp"
#include "interruptible_input.hpp"
#include "json_text.hpp"
#include "message_check.hpp"
#include "serving.hpp"
#include "suggest.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <istream>
#include <memory>
#include <unistd.h>

namespace weir::cli {

namespace {

constexpr std::size_t kMessagesPerPublish = 1000;
constexpr std::size_t kBytesPerPublish = 4u << 20;
constexpr std::size_t kRefusalsShown = 20;

struct PublishOptions {
    std::string config;
    std::string topic;
    std::string file;
    std::vector<std::string> key_pointers;
    bool raw = false;
    bool skip_invalid = false;
    bool dry_run = false;
    bool json = false;
    bool no_create = false;
};

/// One run: lines in, messages out.
class Publisher {
public:
    Publisher(const PublishOptions &options, const MessageCheck &check, broker::Broker *broker, const Interrupt &interrupt,
              std::size_t bytes)
        : options_(options), check_(check), broker_(broker), interrupt_(interrupt), progress_(broker ? "publishing" : "checking", bytes) {}

    Exit run(std::istream &in) {
        std::string line;
        while (!interrupt_.requested() && std::getline(in, line)) {
            ++lines_;
            bytes_ += line.size() + 1;
            progress_.set(bytes_);
            take(line);
        }
        if (interrupt_.requested()) {
            return report(Exit::cancelled);
        }
        if (in.bad()) {
            throw Failure(Exit::failed,
                          options_.file + ": reading stopped at line " + std::to_string(lines_ + 1) + ": " + std::strerror(errno));
        }
        if (refused_ > 0 && !options_.skip_invalid) {
            waiting_.clear();
            return report(Exit::failed);
        }
        while (!waiting_.empty() && !interrupt_.requested()) {
            send();
        }
        return report(waiting_.empty() ? Exit::ok : Exit::cancelled);
    }

    std::size_t published() const noexcept { return published_; }

private:
    /// Whether messages may leave before the last line was seen.
    bool streams() const { return options_.raw || options_.skip_invalid; }

    void take(const std::string &line) {
        if (!options_.raw && line.find_first_not_of(" \t\r") == std::string::npos) {
            return;
        }
        Checked checked = check_.check(line, lines_);
        if (!checked.refusal.empty() && !options_.raw) {
            if (++refused_ <= kRefusalsShown) {
                std::fprintf(stderr, "%s:%zu: %s\n", printable(options_.file).c_str(), lines_, printable(checked.refusal).c_str());
            }
            return;
        }
        if (checked.refusal.empty() && !checked.has_contract && !options_.raw) {
            ++uncontracted_[checked.event_type];
        }
        ++accepted_;
        keyless_ += !options_.key_pointers.empty() && checked.key.empty() ? 1 : 0;
        if (broker_) {
            waiting_bytes_ += line.size();
            waiting_.push_back({std::move(checked.key), {}, line});
        }
        while (streams() && (waiting_.size() >= kMessagesPerPublish || waiting_bytes_ >= kBytesPerPublish)) {
            send();
        }
    }

    void send() {
        std::size_t count = 0;
        std::size_t bytes = 0;
        while (count < std::min(waiting_.size(), kMessagesPerPublish) && (count == 0 || bytes < kBytesPerPublish)) {
            bytes += waiting_[count++].body.size();
        }
        const std::vector<broker::Outgoing> some(std::make_move_iterator(waiting_.begin()),
                                                 std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
        waiting_bytes_ -= bytes;
        try {
            broker_->publish(options_.topic, some);
        } catch (const std::exception &) {
            std::fprintf(
                stderr,
                "weir: %s had been published before the broker refused; publishing the file again is safe, events are known by their ids\n",
                counted(published_, "message", "messages").c_str());
            throw;
        }
        published_ += count;
    }

    Exit report(Exit code) const {
        if (refused_ > kRefusalsShown) {
            std::fprintf(stderr, "... and %s more\n", counted(refused_ - kRefusalsShown, "line", "lines").c_str());
        }
        for (const auto &[type, count] : uncontracted_) {
            std::fprintf(stderr, "note: no contract for %s (%s): only the envelope was checked\n", type.c_str(),
                         counted(count, "message", "messages").c_str());
        }
        if (keyless_ > 0) {
            std::fprintf(stderr, "note: %s nothing at --key-pointer, and so no key: over several partitions their order isn't kept\n",
                         counted(keyless_, "message has", "messages have").c_str());
        }
        if (options_.json) {
            print_json({{"topic", options_.topic},
                        {"lines", lines_},
                        {"published", published_},
                        {"refused", refused_},
                        {"dry_run", options_.dry_run}});
        } else if (options_.dry_run) {
            print_line(counted(accepted_, "message", "messages") + " would be published to " + options_.topic + ", " +
                       std::to_string(refused_) + " refused");
        } else {
            print_line("published " + counted(published_, "message", "messages") + " to " + options_.topic +
                       (refused_ > 0 ? ", refused " + counted(refused_, "line", "lines") : ""));
        }
        if (refused_ > 0 && !options_.skip_invalid) {
            std::fprintf(stderr, "weir: nothing was published: mend these lines, or leave them out with --skip-invalid, or send all as "
                                 "they are with --raw\n");
        } else if (code == Exit::cancelled) {
            std::fprintf(stderr, "weir: cancelled; publishing the file again is safe, events are known by their ids\n");
        }
        return code;
    }

    const PublishOptions &options_;
    const MessageCheck &check_;
    broker::Broker *broker_; // null: a dry run
    const Interrupt &interrupt_;
    Progress progress_;
    std::deque<broker::Outgoing> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::size_t lines_ = 0;
    std::size_t bytes_ = 0;
    std::size_t accepted_ = 0;
    std::size_t published_ = 0;
    std::size_t refused_ = 0;
    std::size_t keyless_ = 0;                         // of those accepted, where --key-pointer says where keys are
    std::map<std::string, std::size_t> uncontracted_; // event type -> messages
};

/// What to say of a topic that isn't there: a typing error makes one too.
std::string missing_topic(const std::string &topic, const Serving &serving) {
    std::vector<std::string> read;
    for (const auto &[name, domain] : serving.domains) {
        read.insert(read.end(), domain.spec.topics.begin(), domain.spec.topics.end());
    }
    std::string what = "there is no topic '" + topic + "' yet";
    if (std::find(read.begin(), read.end(), topic) == read.end()) {
        const std::string near = nearest(topic, read);
        what += ", and no domain of this configuration reads it" + (near.empty() ? "" : " (did you mean '" + near + "'?)");
    }
    return what;
}

Exit publish(const PublishOptions &options, const Context &context) {
    const Interrupt interrupt;
    const auto loaded = load_config(options.config);
    const event::Contracts contracts = load_contracts(loaded.config);
    std::size_t bytes = 0;
    int descriptor = STDIN_FILENO;
    if (options.file != "-") {
        std::error_code failure;
        if (std::filesystem::is_regular_file(options.file, failure)) {
            bytes = std::filesystem::file_size(options.file, failure);
        }
        const bool directory = std::filesystem::is_directory(options.file, failure);
        // Without waiting: opening a fifo that nobody writes to yet could not be interrupted.
        descriptor = directory ? -1 : open(options.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor < 0) {
            throw Failure(Exit::failed, options.file + " can't be read: " + (directory ? "it is a directory" : std::strerror(errno)) +
                                            "; name a file with one message a line, or - for standard input");
        }
    }
    InterruptibleInput input(descriptor, interrupt);
    std::istream lines(&input);
    const Serving serving = find_serving(loaded.config, context, contracts);
    const MessageCheck check(options.topic, bindings_of_topic(serving, options.topic), options.key_pointers, contracts);
    const std::unique_ptr<broker::Broker> broker = options.dry_run ? nullptr : open_broker(loaded.config, options.topic);
    const bool there = !broker || broker->has_topic(options.topic);
    if (!there && options.no_create) {
        throw Failure(Exit::failed, missing_topic(options.topic, serving) + "; without --no-create it is made");
    }
    Publisher publisher(options, check, broker.get(), interrupt, bytes);
    const Exit code = publisher.run(lines);
    if (!there && publisher.published() > 0) {
        std::fprintf(stderr, "note: %s; it was made\n", printable(missing_topic(options.topic, serving)).c_str());
    }
    return code;
}

} // namespace

void add_publish(CLI::App &root, Context &context) {
    const auto options = std::make_shared<PublishOptions>();
    CLI::App *command = root.add_subcommand("publish", "Publish messages from a file, one a line, checked against the contracts");
    add_config_option(*command, options->config);
    command->add_option("-t,--topic", options->topic, "Where to; made where it is missing")->required()->type_name("TOPIC");
    command->add_option("file", options->file, "One message a line; - is standard input")->required()->type_name("FILE");
    auto *raw = command->add_flag("--raw", options->raw, "Send every line as it is, unchecked");
    command->add_flag("--skip-invalid", options->skip_invalid, "Leave refused lines out instead of publishing nothing")->excludes(raw);
    command
        ->add_option("--key-pointer", options->key_pointers,
                     "A JSON pointer to the ordering key, instead of the topic's binding; may be repeated")
        ->type_name("POINTER")
        ->allow_extra_args(false);
    command->add_flag("--no-create", options->no_create, "Refuse where the topic is not there, instead of making it");
    command->add_flag("--dry-run", options->dry_run, "Only check");
    command->add_flag("--json", options->json, "The result as one JSON object: topic, lines, published, refused, dry_run");
    command->footer(
        "Each line is decoded as the domains that read this topic decode it, and checked against its type's contract. Where one is wrong,\n"
        "its number, the reason and the JSON pointer are printed, and nothing at all is published. The ordering key comes from the\n"
        "topic's binding, so that events of one key stay in order on a topic with several partitions.\n"
        "\n"
        "Examples:\n"
        "  weir publish -c configs/embedded.json --topic identity.user.v1 users.jsonl\n"
        "  weir generate identity --count 1000 | weir publish -c configs/embedded.json --topic identity.user.v1 -\n"
        "  weir publish --topic votes --key-pointer /voter --dry-run votes.jsonl");
    command->callback([&context, options] { context.action = [&context, options] { return publish(*options, context); }; });
}

} // namespace weir::cli
