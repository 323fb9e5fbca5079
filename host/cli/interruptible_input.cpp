// SPDX-License-Identifier: Apache-2.0
#include "interruptible_input.hpp"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace weir::cli {

InterruptibleInput::int_type InterruptibleInput::underflow() {
    ssize_t count = 0;
    do {
        if (!interrupt_.wait_readable(descriptor_)) {
            return traits_type::eof();
        }
        count = read(descriptor_, buffer_.data(), buffer_.size());
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    if (count < 0) {
        throw std::system_error(errno, std::generic_category()); // the stream turns bad
    }
    if (count == 0) {
        return traits_type::eof();
    }
    setg(buffer_.data(), buffer_.data(), buffer_.data() + count);
    return traits_type::to_int_type(buffer_.front());
}

} // namespace weir::cli
