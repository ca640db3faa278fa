using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace NativeHeap.Memory.Injection;

/// <summary>
/// What <see cref="CallCode"/> works on, below the red zone of the thread's stack: the registers to go on with, as struct
/// user_regs_struct has them (which ends in what iretq takes), then the addresses of functions and texts, then results.
/// </summary>
internal static class CallFrame
{
    /// <summary>Bytes of the stack that the call gets.</summary>
    public const int StackBytes = 256 << 10;

    /// <summary>Most bytes of a frame, with texts.</summary>
    public const int MostBytes = 8192;

    /// <summary>Words of struct user_regs_struct that stand at the frame's start.</summary>
    public const int RegisterWords = 21;

    /// <summary>Offset of dlopen's result: a handle, 0 when it failed.</summary>
    public const int Handle = 248;

    /// <summary>Offset of the function's result; its lower half counts.</summary>
    public const int Result = 256;

    /// <summary>Offset of the address of dlerror's text; 0: there is none.</summary>
    public const int ErrorText = 264;

    /// <summary>Offset of the address of the call's stack.</summary>
    public const int Stack = 296;

    /// <summary>Offset of a word whose upper half is 1 once the function is called.</summary>
    public const int Called = 304;

    private const int Texts = 320;
    private const ulong Now = 2;          // RTLD_NOW
    private const ulong OnlyIfLoaded = 4; // RTLD_NOLOAD
    private const uint MaskedExceptions = 0x1F80; // MXCSR as a program starts with

    // A fault of ours must come as the program's own would: the kernel takes the handler away from a signal that is blocked
    // when an instruction raises it. SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
    private const ulong BlockedSignals =
        ~((1UL << 3) | (1UL << 4) | (1UL << 5) | (1UL << 6) | (1UL << 7) | (1UL << 10) | (1UL << 30));

    /// <summary>Whether this processor has what the code uses, and its registers fit.</summary>
    public static bool IsPossible => X86Base.IsSupported
        && (X86Base.CpuId(1, 0).Ecx & (1 << 27)) != 0 // the system uses XSAVE
        && X86Base.CpuId(0xD, 0).Ebx is > 0 and < StackBytes / 4;

    /// <summary>Makes a frame.</summary>
    /// <param name="address">Where it will stand; a multiple of 64.</param>
    /// <param name="registers">To go on with.</param>
    /// <param name="functions">Of the process.</param>
    /// <param name="call">What is to be called.</param>
    public static byte[] Make(ulong address, ReadOnlySpan<ulong> registers, LoaderFunctions functions, InjectedCall call)
    {
        var library = Encoding.UTF8.GetBytes(call.Library + '\0');
        var function = Encoding.UTF8.GetBytes(call.Function + '\0');
        var argument = Encoding.UTF8.GetBytes(call.Argument + '\0');
        var frame = new byte[(Texts + library.Length + function.Length + argument.Length + 63) & ~63];
        for (var i = 0; i < RegisterWords; i++)
        {
            Put(i * sizeof(ulong), registers[i]);
        }

        Put(176, BlockedSignals);
        Put(184, functions.Open);
        Put(192, functions.Symbol);
        Put(200, functions.Error);
        Put(208, functions.ErrorNumber);
        Put(216, call.IsLoaded ? Now | OnlyIfLoaded : Now);
        Put(224, address + Texts);
        Put(232, address + (ulong)(Texts + library.Length));
        Put(240, address + (ulong)(Texts + library.Length + function.Length));
        Put(280, StackBytes);
        Put(288, ulong.MaxValue); // every part of the extended state
        Put(304, MaskedExceptions);
        library.CopyTo(frame, Texts);
        function.CopyTo(frame, Texts + library.Length);
        argument.CopyTo(frame, Texts + library.Length + function.Length);
        return frame;

        void Put(int offset, ulong word) => BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(offset), word);
    }
}

/// <summary>Functions of a process's C library.</summary>
/// <param name="Open">dlopen(path, mode), or what glibc before 2.34 has in its place.</param>
/// <param name="Symbol">dlsym(handle, name).</param>
/// <param name="Error">dlerror(); 0: there is none.</param>
/// <param name="ErrorNumber">__errno_location().</param>
internal sealed record LoaderFunctions(ulong Open, ulong Symbol, ulong Error, ulong ErrorNumber);
