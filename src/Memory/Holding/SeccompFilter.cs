namespace NativeHeap.Memory.Holding;

/// <summary>What a filter does about a system call (linux/seccomp.h), the gravest last.</summary>
public enum SeccompAction
{
    /// <summary>Lets it pass, perhaps told to somebody.</summary>
    Allow,

    /// <summary>Has it fail.</summary>
    Fail,

    /// <summary>Sends SIGSYS, which ends the process where nobody handles it.</summary>
    Trap,

    /// <summary>Ends the thread or the process.</summary>
    Kill,
}

/// <summary>A system call of x86-64.</summary>
/// <param name="Name">Of the call, for a person.</param>
/// <param name="Number">Of the call.</param>
/// <param name="Arguments">As far as they are known; 0 for the rest.</param>
public sealed record SystemCall(string Name, uint Number, params ulong[] Arguments);

/// <summary>A seccomp filter: a classic BPF program that looks at the number and the arguments of a system call.</summary>
public sealed class SeccompFilter
{
    private const uint Architecture = 0xC000003E; // AUDIT_ARCH_X86_64
    private const ulong SomeAddress = 0x7F00_0000_1000;
    private const int ScratchWords = 16; // BPF_MEMWORDS
    private const int InstructionBytes = 8;

    private readonly ulong[] _program;

    /// <summary>A program as the kernel gives it: struct sock_filter, eight bytes each.</summary>
    public SeccompFilter(ReadOnlySpan<byte> program)
    {
        _program = new ulong[program.Length / InstructionBytes];
        for (var i = 0; i < _program.Length; i++)
        {
            _program[i] = BitConverter.ToUInt64(program.Slice(i * InstructionBytes, InstructionBytes));
        }
    }

    /// <summary>What it does about a call; <see cref="SeccompAction.Kill"/> where the program is none that the kernel
    /// would have taken.</summary>
    public SeccompAction Judge(SystemCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Run(call) is { } value ? ActionOf(value) : SeccompAction.Kill;
    }

    private static SeccompAction ActionOf(uint value) => (value & 0xFFFF_0000) switch
    {
        0x7FFF_0000 or 0x7FFC_0000 => SeccompAction.Allow, // and SECCOMP_RET_LOG
        0x0005_0000 or 0x7FC0_0000 or 0x7FF0_0000 => SeccompAction.Fail, // an error, or as somebody decides who is asked
        0x0003_0000 => SeccompAction.Trap,
        _ => SeccompAction.Kill,
    };

    // Jumps go forward only, so it ends. What the kernel checks when a filter is installed is checked here by bounds alone.
    private uint? Run(SystemCall call)
    {
        const int load = 0x00, loadIndex = 0x01, store = 0x02, storeIndex = 0x03, arithmetic = 0x04, jump = 0x05, give = 0x06, copy = 0x07;
        Span<uint> scratch = stackalloc uint[ScratchWords];
        scratch.Clear();
        uint a = 0, x = 0;
        for (var at = 0L; at < _program.Length; at++)
        {
            var instruction = _program[at];
            var code = (int)(instruction & 0xFFFF);
            var k = (uint)(instruction >> 32);
            var operand = (code & 0x08) != 0 ? x : k; // BPF_X
            switch (code & 0x07)
            {
                case load when Load(code, k, call, scratch) is { } value:
                    a = value;
                    break;
                case loadIndex when Load(code, k, call, scratch) is { } value:
                    x = value;
                    break;
                case store when k < ScratchWords:
                    scratch[(int)k] = a;
                    break;
                case storeIndex when k < ScratchWords:
                    scratch[(int)k] = x;
                    break;
                case arithmetic when Compute(code & 0xF0, a, operand) is { } value:
                    a = value;
                    break;
                case jump when (code & 0xF0) == 0:
                    at += k;
                    break;
                case jump when Holds(code & 0xF0, a, operand) is { } holds:
                    at += (int)(instruction >> (holds ? 16 : 24)) & 0xFF;
                    break;
                case give:
                    return (code & 0x18) == 0x10 ? a : k;
                case copy:
                    (a, x) = (code & 0x80) != 0 ? (x, x) : (a, a); // BPF_TXA, BPF_TAX
                    break;
                default:
                    return null;
            }
        }
        return null;
    }

    private static uint? Load(int code, uint k, SystemCall call, ReadOnlySpan<uint> scratch)
    {
        const int immediate = 0x00, absolute = 0x20, memory = 0x60, length = 0x80;
        return (code & 0xE0) switch
        {
            immediate => k,
            absolute => Data(k, call),
            memory when k < ScratchWords => scratch[(int)k],
            length => 64, // bytes of struct seccomp_data
            _ => null,
        };
    }

    // struct seccomp_data: number, architecture, instruction pointer, six arguments.
    private static uint? Data(uint offset, SystemCall call)
    {
        if (offset % 4 != 0 || offset >= 64)
        {
            return null;
        }
        var argument = offset < 16 ? -1 : (int)((offset - 16) / 8);
        var wide = argument < 0 ? SomeAddress : argument < call.Arguments.Length ? call.Arguments[argument] : 0;
        return offset switch
        {
            0 => call.Number,
            4 => Architecture,
            _ => (uint)(wide >> (offset % 8 == 0 ? 0 : 32)),
        };
    }

    private static uint? Compute(int operation, uint a, uint b) => operation switch
    {
        0x00 => a + b,
        0x10 => a - b,
        0x20 => a * b,
        0x30 => b == 0 ? null : a / b,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => b < 32 ? a << (int)b : 0,
        0x70 => b < 32 ? a >> (int)b : 0,
        0x80 => 0 - a,
        0xA0 => a ^ b,
        _ => null,
    };

    private static bool? Holds(int test, uint a, uint b) => test switch
    {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => (a & b) != 0,
        _ => null,
    };
}
