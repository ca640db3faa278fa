using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>A static field.</summary>
/// <param name="Name">Namespace, type and field.</param>
/// <param name="Location">Where its value stands.</param>
/// <param name="IsReference">It refers to an object.</param>
public readonly record struct StaticField(string Name, ulong Location, bool IsReference);

/// <summary>The static fields of all types that have been used.</summary>
public static class StaticFields
{
    private const int MostFields = 1 << 20;

    /// <summary>Lists them; takes some 0.1 to 1 s. Their places do not change while the process lives.</summary>
    public static IReadOnlyList<StaticField> Of(ClrTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        var runtime = target.Runtime;
        var fields = new List<StaticField>();
        foreach (var module in runtime.EnumerateModules())
        {
            foreach (var type in module.EnumerateTypesWithStaticFields())
            {
                foreach (var field in type.StaticFields)
                {
                    if (fields.Count < MostFields && field.GetAddress(DomainOf(module, runtime)) is not 0 and var address)
                    {
                        fields.Add(new StaticField($"{type.Name}.{field.Name}", address, field.IsObjectReference));
                    }
                }
            }
        }
        return fields;
    }

    private static ClrAppDomain DomainOf(ClrModule module, ClrRuntime runtime) =>
        module.AppDomain ?? runtime.AppDomains[0];
}
