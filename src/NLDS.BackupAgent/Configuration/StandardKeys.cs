namespace NLDS.BackupAgent.Configuration;

/// <summary>The sections that are not ours but the framework's.</summary>
internal static class StandardKeys
{
    private static readonly HashSet<string> Names = new(StringComparer.OrdinalIgnoreCase) { "Logging", "AllowedHosts", "Kestrel", "Urls", "$schema" };

    public static bool Accepts(string section) => Names.Contains(section);
}
