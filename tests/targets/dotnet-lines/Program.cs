using System.Runtime.InteropServices;

namespace Lines;

// Hazard: async methods, iterators and lambdas, whose code is in classes that the compiler made. What each line allocates,
// with all it calls on the same stack, stands at its end: live bytes at the end, bytes ever, blocks ever.
internal static class Program
{
    private static nint Give { get; set; }

    // The argument: liballocate.so, which allocates what it is asked for. What the runtime needs itself is in no stack of it.
    private static void Main(string[] arguments)
    {
        Give = NativeLibrary.GetExport(NativeLibrary.Load(arguments[0]), "give");
        Keep(100); //= 100 100 1
        for (var i = 0; i < 3; i++)
        {
            Release(10); //= 0 30 3
        }

        foreach (var size in Sizes()) //= 110 110 2
        {
            Keep(size); //= 30 30 2
        }

        Action<int> keep = size => Keep(size); //= 77 77 1
        keep(77); //= 77 77 1
        Run().GetAwaiter().GetResult(); //= 200 200 1
    }

    // After an await a method goes on upon the stack of whoever completed what it waited for.
    private static async Task Run()
    {
        Keep(200); //= 200 200 1
        await Task.Yield();
        Keep(300); //= 300 300 1
        await Inner(400); //= 400 400 1
    }

    private static async Task Inner(int bytes)
    {
        Keep(bytes); //= 400 400 1
        await Task.Yield();
        Keep(600); //= 600 600 1
    }

    private static IEnumerable<int> Sizes()
    {
        Keep(50); //= 50 50 1
        yield return 10;
        Keep(60); //= 60 60 1
        yield return 20;
    }

    private static unsafe nint Keep(int bytes) => ((delegate* unmanaged<nuint, nint>)Give)((nuint)bytes); //= 1817 1847 13

    private static unsafe void Release(int bytes) => NativeMemory.Free((void*)Keep(bytes)); //= 0 30 3
}
