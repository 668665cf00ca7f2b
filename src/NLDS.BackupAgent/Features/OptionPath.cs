using System.Reflection;

namespace NLDS.BackupAgent.Features;

/// <summary>Reads a property of an options object by the words of the configuration: <c>FullBackup:Schedule</c>.</summary>
internal static class OptionPath
{
    public static object? Read(object options, string path)
    {
        object? value = options;
        foreach (var part in path.Split(':'))
        {
            if (value is null)
            {
                return null;
            }

            var property = value.GetType().GetProperty(part, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase)
                ?? throw new InvalidOperationException($"{value.GetType().Name} has no property '{part}' (looking for {path}).");
            value = property.GetValue(value);
        }

        return value;
    }

    /// <summary>A feature without the key is always on.</summary>
    public static bool IsEnabled(object options) =>
        options.GetType().GetProperty("Enabled")?.GetValue(options) is not false;
}
