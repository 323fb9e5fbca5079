// SPDX-License-Identifier: Apache-2.0
#include "plugin/elf_file.hpp"

#include <bit>
#include <elf.h>

namespace weir::plugin {

std::uint8_t native_class() noexcept { return sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32; }

std::uint8_t native_byte_order() noexcept { return std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB; }

std::uint16_t native_machine() noexcept {
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#elif defined(__riscv)
    return EM_RISCV;
#elif defined(__powerpc64__)
    return EM_PPC64;
#elif defined(__s390x__)
    return EM_S390;
#elif defined(__arm__)
    return EM_ARM;
#elif defined(__i386__)
    return EM_386;
#else
#error "name this machine's EM_ constant here"
#endif
}

std::string machine_name(std::uint16_t machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "AArch64";
    case EM_RISCV:
        return "RISC-V";
    case EM_PPC64:
        return "POWER";
    case EM_S390:
        return "s390x";
    case EM_ARM:
        return "32-bit ARM";
    case EM_386:
        return "32-bit x86";
    default:
        return "machine " + std::to_string(machine);
    }
}

} // namespace weir::plugin
