using System.Text;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>Plays the shims of a fork tree: nodes, modules, slots, numbers and rings as native/ writes them.</summary>
internal sealed unsafe class Target
{
    /// <summary>CLOCK_MONOTONIC at the first process's start.</summary>
    public const ulong StartNs = 1_000_000_000;

    private readonly Dictionary<int, uint[]> _numbers = [];

    public Target(TargetMemory? memory = null)
    {
        Memory = memory ?? new TargetMemory();
        var slot = View.SlotAt(0);
        slot->Pid = 100;
        slot->ParentSlot = WireConstants.NoSlot;
        slot->StartNs = StartNs;
        slot->State = (uint)SlotState.Live;
        ClockNs = StartNs;
    }

    public TargetMemory Memory { get; }

    public RegionView View => Memory.View;

    /// <summary>The coarse clock as threads see it.</summary>
    public ulong ClockNs { get; set; }

    /// <summary>Called by a thread whose ring is full.</summary>
    public Action Drain { get; set; } = () => throw new InvalidOperationException("the ring is full");

    /// <summary>What slot 0 says in its hello.</summary>
    public static ProcessIntroduction Introduction(int pid = 100, ulong startNs = StartNs) =>
        new(pid, 1, startNs, "program -x", "/bin/program", Model.ProcessOrigin.Run);

    public uint AddNode(uint parent, ulong pc)
    {
        var node = View.Header->NodeCount++;
        View.NodeAt((int)node)->Pc = pc;
        View.NodeAt((int)node)->Parent = parent;
        return node;
    }

    /// <summary>A stack of the given return addresses, the outermost first, that calls malloc.</summary>
    public uint AddStack(params ulong[] pcs) =>
        AddNode(pcs.Aggregate(0u, AddNode), (ulong)Marker.EntryMalloc);

    public void AddModule(string path, ulong start, ulong end, ulong bias, uint slot = 0, uint generation = 0)
    {
        var module = View.ModuleAt((int)View.Header->ModuleCount++);
        module->Start = start;
        module->End = end;
        module->Bias = bias;
        module->Slot = slot;
        module->Generation = generation;
        module->LoadNs = ClockNs;
        var bytes = Encoding.UTF8.GetBytes(path);
        module->PathLength = (ushort)bytes.Length;
        bytes.CopyTo((Span<byte>)module->Path);
        module->BuildIdLength = 2;
        module->BuildId[0] = 0xAB;
        module->BuildId[1] = (byte)path.Length;
        Volatile.Write(ref module->State, (uint)ModuleState.Loaded);
    }

    /// <summary>Says which method had an address in an epoch of it.</summary>
    public void AddReused(ulong pc, ulong seenNs, ulong method, uint slot = 0)
    {
        var reused = View.ReusedAt((int)View.Header->ReusedCount++);
        reused->SeenNs = seenNs;
        reused->Method = method;
        reused->Slot = slot;
        Volatile.Write(ref reused->Pc, pc);
    }

    /// <summary>Forks: a slot for the child; its numbers begin anew.</summary>
    public int Fork(int parentSlot, int pid)
    {
        var index = Enumerable.Range(1, View.Shape.SlotCount - 1).First(i => View.SlotAt(i)->State == 0);
        var slot = View.SlotAt(index);
        slot->Pid = (uint)pid;
        slot->ParentSlot = (uint)parentSlot;
        slot->ParentPid = View.SlotAt(parentSlot)->Pid;
        slot->StartNs = ClockNs;
        _numbers.Remove(index);
        Volatile.Write(ref slot->State, (uint)SlotState.Live);
        return index;
    }

    /// <summary>A thread with a ring of its own.</summary>
    public TargetThread Thread(int slot, uint tid)
    {
        var index = Enumerable.Range(0, View.Shape.RingCount).First(i => View.RingAt(i)->OwnerTid == 0);
        View.RingAt(index)->OwnerTid = tid;
        View.RingAt(index)->OwnerSlot = (uint)slot;
        return new TargetThread(this, index, slot, tid);
    }

    /// <summary>Takes the next number of an address's stripe.</summary>
    public uint TakeNumber(int slot, ulong address)
    {
        if (!_numbers.TryGetValue(slot, out var numbers))
        {
            _numbers.Add(slot, numbers = new uint[WireConstants.OrderStripes]);
        }

        return ++numbers[((address >> 4) * WireConstants.StripeMultiplier) >> (int)WireConstants.StripeShift];
    }
}
