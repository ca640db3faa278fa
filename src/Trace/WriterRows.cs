using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>A thread's row.</summary>
/// <param name="Id">From 1, dense over the trace.</param>
/// <param name="Process">Its process.</param>
/// <param name="Tid">In the target's pid namespace.</param>
/// <param name="Name">Null when not known.</param>
/// <param name="StartNs">When it was first seen.</param>
/// <param name="Allocations">Allocations so far.</param>
/// <param name="AllocatedBytes">Their bytes.</param>
public readonly record struct ThreadRow(
    int Id, ProcessId Process, int Tid, string? Name, long StartNs, long Allocations, long AllocatedBytes);

/// <summary>Where a process had a module.</summary>
/// <param name="Id">Row number, to write it again when the module is unloaded.</param>
/// <param name="Process">The process that loaded it.</param>
/// <param name="Module">From 1.</param>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Bias">Address minus ELF virtual address.</param>
/// <param name="LoadNs">When it was first seen.</param>
/// <param name="UnloadNs">Null while it is loaded.</param>
public readonly record struct MappingRow(
    int Id, ProcessId Process, int Module, ulong Start, ulong End, ulong Bias, long LoadNs, long? UnloadNs);

/// <summary>A block alive at a snapshot.</summary>
/// <param name="Process">Its process.</param>
/// <param name="Address">Its address.</param>
/// <param name="Bytes">Requested bytes.</param>
/// <param name="Stack">Where it was allocated.</param>
/// <param name="Thread">Row of the thread; null when unknown.</param>
/// <param name="BirthNs">When it was allocated.</param>
public readonly record struct BlockRow(
    ProcessId Process, ulong Address, long Bytes, StackId Stack, int? Thread, long BirthNs);

/// <summary>A place in code that no native module covers.</summary>
/// <param name="Location">Its location, which it describes further.</param>
/// <param name="Process">Whose it is.</param>
/// <param name="Address">Return address.</param>
/// <param name="Epoch">How often other code had been there before, as far as was noticed.</param>
/// <param name="SeenNs">When a stack with it allocated first.</param>
/// <param name="Method">Row of the method; null when nobody told.</param>
/// <param name="IlOffset">Of the call; null when unknown.</param>
public readonly record struct CodeRow(
    LocationId Location, ProcessId Process, ulong Address, int Epoch, long SeenNs, int? Method, int? IlOffset);

/// <summary>A method's machine code.</summary>
/// <param name="Id">From 1, dense.</param>
/// <param name="Process">Whose it is.</param>
/// <param name="Module">The assembly; null for what belongs to none.</param>
/// <param name="Token">Metadata token; null when it has none or it is not known.</param>
/// <param name="Type">In metadata's spelling.</param>
/// <param name="Name">In metadata's spelling.</param>
/// <param name="Signature">In IL's spelling.</param>
/// <param name="Tier">How it was compiled, a word of the schema.</param>
/// <param name="Start">First address.</param>
/// <param name="Size">Bytes; null when not told.</param>
/// <param name="LoadNs">Null: before anybody asked.</param>
/// <param name="UnloadNs">Null: it was there to the end.</param>
public readonly record struct MethodRow(
    int Id,
    ProcessId Process,
    int? Module,
    int? Token,
    string Type,
    string Name,
    string Signature,
    string Tier,
    ulong Start,
    long? Size,
    long? LoadNs,
    long? UnloadNs);
