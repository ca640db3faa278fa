using System.Runtime.CompilerServices;

namespace Truth.Contexts;

/// <summary>Filters, handlers and finally blocks, with exceptions thrown by code and by the processor.</summary>
internal static class Exceptions
{
    public static void Run(int round)
    {
        Handled(null);
        Handled("");
        Handled("deep");
        Finally();
        Rethrown();
        Hardware(0);
        Unwound(round % 4);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Handled(string? text)
    {
        try
        {
            Thrower(text);
        }
        catch (Exception e) when (Filter(e))
        {
            Probe.Here("catch block");
            try
            {
                Thrower(text);
            }
            catch (Exception inner) when (Filter(inner))
            {
                Probe.Here("catch block in a catch block");
            }
        }
    }

    private static bool Filter(Exception e)
    {
        Probe.Here("exception filter");
        return e is not OutOfMemoryException;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Thrower(string? text)
    {
        if (text!.Length == 0)
        {
            throw new InvalidOperationException();
        }
        Thrower(text.Length == 1 ? null : text[1..]);
        GC.KeepAlive(text);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Finally()
    {
        try
        {
            try
            {
                Probe.Here("try block");
            }
            finally
            {
                Probe.Here("finally block after success");
            }
            try
            {
                Thrower("");
            }
            finally
            {
                Probe.Here("finally block in unwinding");
            }
        }
        catch (InvalidOperationException)
        {
            Probe.Here("catch block");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Rethrown()
    {
        try
        {
            try
            {
                Thrower("");
            }
            catch (InvalidOperationException)
            {
                Probe.Here("catch block that throws on");
                throw;
            }
        }
        catch (InvalidOperationException e) when (e.Message.Length > 0 && Filter(e))
        {
            Probe.Here("catch block of what was thrown on");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Hardware(int zero)
    {
        try
        {
            Probe.Here(zero == 0 ? "try block" : (1 / zero).ToString(System.Globalization.CultureInfo.InvariantCulture));
            GC.KeepAlive(1 / zero);
        }
        catch (DivideByZeroException e) when (Filter(e))
        {
            Probe.Here("catch block of a hardware exception");
        }
        finally
        {
            Probe.Here("finally block after a hardware exception");
        }
    }

    // Finally blocks of several frames, run one after the other while the stack is taken down.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Unwound(int depth)
    {
        try
        {
            Cleaned(depth);
        }
        catch (InvalidOperationException)
        {
            Probe.Here("catch block");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Cleaned(int depth)
    {
        try
        {
            if (depth == 0)
            {
                Thrower("");
            }
            Cleaned(depth - 1);
        }
        finally
        {
            Probe.Here("finally block in unwinding");
        }
    }
}
