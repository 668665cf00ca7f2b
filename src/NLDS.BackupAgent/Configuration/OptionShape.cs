using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace NLDS.BackupAgent.Configuration;

/// <summary>What the configuration binder makes of a type: one value, a list, named entries, or an object with keys.</summary>
internal static class OptionShape
{
    public static bool IsValue(Type type) =>
        type == typeof(string) || (!IsList(type, out _) && !IsNamed(type, out _) && TypeDescriptor.GetConverter(type).CanConvertFrom(typeof(string)));

    public static bool IsNamed(Type type, [NotNullWhen(true)] out Type? entry)
    {
        entry = Interfaces(type)
            .Where(face => face.IsGenericType && face.GetGenericTypeDefinition() is var open
                && (open == typeof(IDictionary<,>) || open == typeof(IReadOnlyDictionary<,>)))
            .Select(face => face.GetGenericArguments()[1])
            .FirstOrDefault();
        return entry is not null;
    }

    public static bool IsList(Type type, [NotNullWhen(true)] out Type? element)
    {
        element = type == typeof(string) || IsNamed(type, out _)
            ? null
            : Interfaces(type)
                .Where(face => face.IsGenericType && face.GetGenericTypeDefinition() == typeof(IEnumerable<>))
                .Select(face => face.GetGenericArguments()[0])
                .FirstOrDefault();
        return element is not null;
    }

    /// <summary>The keys that an options type has: what the binder can set, and the objects and lists that it can fill.</summary>
    public static Dictionary<string, PropertyInfo> Keys(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.GetIndexParameters().Length == 0 && property.SetMethod is { IsPublic: true })
            .ToDictionary(property => property.Name, StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<Type> Interfaces(Type type) => type.IsInterface ? type.GetInterfaces().Prepend(type) : type.GetInterfaces();
}
