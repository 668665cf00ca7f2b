namespace NLDS.BackupAgent.Configuration;

/// <summary>One thing that is wrong with the configuration: the key, and a sentence that goes on from it and ends with what to write.</summary>
internal sealed record ConfigurationFault(string Key, string Message)
{
    public override string ToString() => Key.Length == 0 ? Message : $"{Key} {Message}";
}

/// <summary>The configuration cannot be used. Exit code 2.</summary>
internal sealed class ConfigurationFaultsException(IReadOnlyList<ConfigurationFault> faults)
    : Exception(string.Join(Environment.NewLine, faults))
{
    public IReadOnlyList<ConfigurationFault> Faults { get; } = faults;
}
