using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>A static field.</summary>
/// <param name="Name">Namespace, type and field.</param>
/// <param name="Location">Where its value stands.</param>
/// <param name="IsReference">It refers to an object.</param>
public readonly record struct StaticField(string Name, ulong Location, bool IsReference);

/// <summary>The static fields of all types that were in use at one moment. For one thread.</summary>
public sealed class StaticFields
{
    private const int MostTypes = 1 << 22;
    private const int MostFields = 1 << 20;

    private readonly ClrRuntime _runtime;
    private readonly List<(ClrAppDomain Domain, ulong MethodTable)> _types = [];

    /// <summary>Lists the types of each module; some ms. The process must not run: a module's list is read as far as the
    /// first type whose memory is not there, which in a running process one may be that was loaded a moment ago.</summary>
    internal StaticFields(ClrRuntime runtime)
    {
        _runtime = runtime;
        foreach (var module in runtime.EnumerateModules())
        {
            var domain = module.AppDomain ?? runtime.AppDomains[0];
            foreach (var (methodTable, _) in module.EnumerateTypeDefToMethodTableMap())
            {
                if (_types.Count < MostTypes)
                {
                    _types.Add((domain, methodTable));
                }
            }
        }
    }

    /// <summary>Describes the fields that have a place; takes some 0.1 to 1 s. The process may run again: types and the
    /// places of their fields do not change while it lives.</summary>
    public IReadOnlyList<StaticField> Read()
    {
        var fields = new List<StaticField>();
        foreach (var (domain, methodTable) in _types)
        {
            if (_runtime.GetTypeByMethodTable(methodTable) is not { } type)
            {
                continue;
            }

            foreach (var field in type.StaticFields)
            {
                if (fields.Count < MostFields && field.GetAddress(domain) is not 0 and var address)
                {
                    fields.Add(new StaticField($"{type.Name}.{field.Name}", address, field.IsObjectReference));
                }
            }
        }

        return fields;
    }
}
