using System.Runtime.InteropServices;
using NativeHeap.Memory.Elf;

namespace NativeHeap.Collect.Launching;

/// <summary>Whether the shim can be loaded into an ELF program of this machine.</summary>
internal static class PreflightImage
{
    /// <summary>Why it cannot, in words that follow "it", with the cure; null when it can.</summary>
    /// <param name="file">The program.</param>
    /// <param name="machine">This machine.</param>
    internal static string? Refusal(ElfFile file, ElfMachine machine)
    {
        var header = file.Header;
        if (header.Kind is not (ElfKind.Executable or ElfKind.Shared))
        {
            return header.Kind switch
            {
                ElfKind.Relocatable => "is an object file, not a program; link it first",
                ElfKind.Core => "is a core dump, not a program; name the program that left it",
                _ => "is an ELF file of a kind that cannot be started",
            };
        }

        if (header.Machine != machine && !(header.Machine == ElfMachine.I386 && machine == ElfMachine.X86_64))
        {
            return $"is built for {Name(header.Machine)}, and this machine is {Name(machine)}; build it for this one";
        }

        if (!header.Is64Bit)
        {
            return "is a 32-bit program, and only 64-bit programs can be profiled; build it for 64 bit";
        }

        if (!header.IsLittleEndian)
        {
            return "is built for the other byte order; build it for this machine";
        }

        return file.Interpreter is { } linker ? LinkerRefusal(linker) : StaticRefusal(file);
    }

    /// <summary>The machine we run on.</summary>
    internal static ElfMachine CurrentMachine() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => ElfMachine.X86_64,
        Architecture.Arm64 => ElfMachine.AArch64,
        var other => throw new PlatformNotSupportedException($"no shim for {other}"),
    };

    private static string? LinkerRefusal(string linker)
    {
        var name = linker[(linker.LastIndexOf('/') + 1)..];
        var libc = name switch
        {
            _ when name.Contains("uClibc", StringComparison.Ordinal) => "uClibc",
            "linker" or "linker64" => "Android's libc",
            _ => null,
        };
        if (libc is not null)
        {
            return $"is linked with {libc}, and only programs of glibc and musl can be profiled; build it with one of them";
        }

        return File.Exists(linker)
            ? null
            : $"needs the dynamic linker '{linker}', which does not exist; install the libc it was built for";
    }

    private static string? StaticRefusal(ElfFile file)
    {
        // The dynamic linker itself, called with a program to load, has no linker but honours LD_PRELOAD.
        if (file.Dynamic?.SharedObjectName is { } name && name.StartsWith("ld-linux", StringComparison.Ordinal))
        {
            return null;
        }

        return file.Header.Kind == ElfKind.Shared && file.Dynamic is not { IsPositionIndependentExecutable: true }
            ? "is a shared library, not a program; name a program that uses it"
            : "is statically linked, so the shim cannot be loaded into it; link it dynamically";
    }

    private static string Name(ElfMachine machine) => machine switch
    {
        ElfMachine.I386 => "32-bit x86",
        ElfMachine.X86_64 => "x86-64",
        ElfMachine.AArch64 => "64-bit Arm",
        ElfMachine.Arm => "32-bit Arm",
        ElfMachine.RiscV => "RISC-V",
        ElfMachine.PowerPC64 => "PowerPC",
        ElfMachine.S390 => "IBM Z",
        ElfMachine.LoongArch => "LoongArch",
        _ => $"another machine (ELF number {(int)machine})",
    };
}
