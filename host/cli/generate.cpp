// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "identity_events.hpp"
#include "interrupt.hpp"
#include "number_check.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace weir::cli {

namespace {

Exit generate(const IdentityOptions &options) {
    const Interrupt interrupt;
    IdentityEvents events(options);
    for (std::uint64_t at = 0; at < options.count; ++at) {
        if (interrupt.requested()) {
            return Exit::cancelled;
        }
        print_line(events.next());
    }
    return Exit::ok;
}

} // namespace

void add_generate(CLI::App &root, Context &context) {
    CLI::App *group = root.add_subcommand("generate", "Make up events to try things with");
    group->require_subcommand(0, 1);
    const auto options = std::make_shared<IdentityOptions>();
    CLI::App *command = group->add_subcommand("identity", "user.created.v1, user.updated.v1 and user.disabled.v1 as JSON lines");
    const auto percent = [&](const char *name, unsigned &value, const char *about) {
        command->add_option(name, value, about)->type_name("PERCENT")->check(CLI::Range(0, 100));
    };
    command->add_option("-n,--count", options->count, "How many messages [1000]")->type_name("N")->check(at_least(0));
    command->add_option("--seed", options->seed, "The same seed makes the same messages [1]")->type_name("N");
    command->add_option("--users", options->users, "Of how many users [a tenth of the count]")->type_name("N")->check(at_least(1));
    command->add_option("--tenants", options->tenants, "Of how many tenants [3]")->type_name("N")->check(at_least(1));
    percent("--duplicates-percent", options->duplicates_percent, "Second deliveries of an earlier message [2]");
    percent("--late-percent", options->late_percent, "Events older than what was told before [2]");
    percent("--unknown-percent", options->unknown_percent, "Of a type that no plugin handles [0]");
    percent("--broken-percent", options->broken_percent, "Messages that can't be events: cut off, no id, a wrong UUID, ... [0]");
    command->footer("All of it is made up: users are numbers, addresses end in example.org. What is broken is refused by 'weir publish', "
                    "unless --raw.\n"
                    "\n"
                    "Examples:\n"
                    "  weir generate identity --count 5\n"
                    "  weir generate identity -n 100000 --seed 7 | weir publish -c configs/embedded.json --topic identity.user.v1 -\n"
                    "  weir generate identity --broken-percent 5 | weir publish -c configs/embedded.json --topic identity.user.v1 --raw -");
    command->callback([&context, options] { context.action = [options] { return generate(*options); }; });
}

} // namespace weir::cli
