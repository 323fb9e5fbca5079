// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <unistd.h>

namespace {

/// Catch2 keeps its books without locks: an assertion on another thread than the test's ruins them, now and then and somewhere else.
/// Whoever writes one is told at once.
class OneThread : public Catch::TestEventListenerBase {
public:
    using TestEventListenerBase::TestEventListenerBase;

    void assertionStarting(const Catch::AssertionInfo &assertion) override {
        if (getpid() == process_ && gettid() != process_) { // a child's only thread may be of any number
            std::fprintf(stderr, "%s:%zu: an assertion on another thread than the test's; count there, and assert here\n",
                         assertion.lineInfo.file, assertion.lineInfo.line);
            std::abort();
        }
    }

private:
    const pid_t process_ = getpid();
};

CATCH_REGISTER_LISTENER(OneThread)

} // namespace
