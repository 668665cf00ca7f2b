using System.ComponentModel;

namespace NLDS.BackupAgent.Configuration;

/// <summary>
/// Goes through a section key by key beside the type that it will be bound to, and finds every key that means nothing and every value that cannot be
/// read. The binder itself would ignore the first and stop at the first of the second.
/// </summary>
internal sealed class KeyWalk(List<ConfigurationFault> faults)
{
    /// <summary>Keys that must not reach the binder.</summary>
    public HashSet<string> Unusable { get; } = new(StringComparer.OrdinalIgnoreCase);

    public void Through(IConfigurationSection section, Type type)
    {
        var keys = OptionShape.Keys(type);
        foreach (var child in section.GetChildren())
        {
            if (keys.TryGetValue(child.Key, out var property))
            {
                Meet(child, property.PropertyType);
            }
            else if (Secrets.BehindFile(child.Key) is not { } secret || !keys.ContainsKey(secret))
            {
                Reject(child, Unknown(section.Path, child.Key, keys.Keys));
            }
        }
    }

    public static string Unknown(string parent, string typed, IEnumerable<string> known)
    {
        var names = known.Order(StringComparer.Ordinal).ToList();
        var prefix = parent.Length == 0 ? "" : parent + ":";
        return NearestName.Of(typed, names) is { } nearest
            ? $"is not a known key. Did you mean {prefix}{nearest}?"
            : $"is not a known key. Known here: {string.Join(", ", names)}.";
    }

    private void Meet(IConfigurationSection child, Type type)
    {
        if (OptionShape.IsValue(type))
        {
            MeetValue(child, type);
            return;
        }

        if (!string.IsNullOrEmpty(child.Value))
        {
            Reject(child, $"is '{child.Value}', but it has keys of its own. Write them below it: {child.Path}:….");
        }
        else if (OptionShape.IsNamed(type, out var inner) || OptionShape.IsList(type, out inner))
        {
            foreach (var entry in child.GetChildren())
            {
                Meet(entry, inner);
            }
        }
        else
        {
            Through(child, type);
        }
    }

    private void MeetValue(IConfigurationSection child, Type type)
    {
        if (child.GetChildren().Any())
        {
            Reject(child, $"has keys below it, but it is one value. Write {Expected(type)}.");
        }
        else if (child.Value is { } text && !CanRead(text, type))
        {
            Reject(child, $"is '{Shown(child.Key, text)}', which is not {Expected(type)}.");
        }
    }

    private void Reject(IConfigurationSection child, string message)
    {
        faults.Add(new ConfigurationFault(child.Path, message));
        Unusable.Add(child.Path);
    }

    private static string Shown(string key, string text) => Secrets.IsSecret(key) ? "***" : text;

    private static bool CanRead(string text, Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        if (plain != type && text.Length == 0)
        {
            return true;
        }

        // A bare number would be read as days, and as an enumeration's ordinal; neither is ever meant.
        if ((plain == typeof(TimeSpan) || plain.IsEnum) && text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            return false;
        }

        try
        {
            return plain == typeof(string) || TypeDescriptor.GetConverter(plain).ConvertFromInvariantString(text) is not null;
        }
        catch (Exception unreadable) when (unreadable is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            return false;
        }
    }

    private static string Expected(Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain switch
        {
            { IsEnum: true } => $"one of {string.Join(", ", Enum.GetNames(plain))}",
            _ when plain == typeof(bool) => "true or false",
            _ when plain == typeof(TimeSpan) => "a duration such as 00:00:05 (hours:minutes:seconds)",
            _ when plain == typeof(int) || plain == typeof(long) || plain == typeof(short) => "a whole number that fits",
            _ when plain == typeof(double) || plain == typeof(decimal) => "a number such as 0.5",
            _ when plain == typeof(string) => "a text",
            _ => $"a {plain.Name}",
        };
    }
}
