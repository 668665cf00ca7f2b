using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Kubernetes;

/// <summary>Section <c>Kubernetes</c>: the namespace to protect.</summary>
public sealed class KubernetesOptions : IValidatableObject
{
    public const string Section = "Kubernetes";

    private bool? enabled;

    /// <summary>The namespace whose objects are backed up; unset for the one that the connection names, in a pod the pod's own.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>A kubeconfig file; unset for the pod's service account, or else what kubectl would use.</summary>
    public string? Kubeconfig { get; set; }

    /// <summary>The kubeconfig's context, when it is not the current one.</summary>
    public string? Context { get; set; }

    /// <summary>Unless it is said, on when <see cref="Namespace"/> or <see cref="Kubeconfig"/> is set: a cluster that nobody named is not looked for.</summary>
    /// <remarks>It stands behind them because the binder takes properties in this order, and sets those without a key to what they say by then.</remarks>
    public bool Enabled
    {
        get => enabled ?? (Namespace.Length > 0 || Kubeconfig is { Length: > 0 });
        set => enabled = value;
    }

    /// <summary>A Quartz cron expression.</summary>
    public string Schedule { get; set; } = "0 0/30 * * * ?";

    /// <summary>IANA name of the schedule's time zone.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>Kinds by their plural with its group (<c>deployments.apps</c>, <c>*.cert-manager.io</c>); when there are any, no others are backed up.</summary>
    public IList<string> Include { get; set; } = [];

    /// <summary>Kinds that are left out.</summary>
    public IList<string> Exclude { get; set; } = [];

    /// <summary>Secrets are stored even where the repository has no key, readable for whoever can read the store. Otherwise they are left out there.</summary>
    public bool StoreSecretsUnencrypted { get; set; }

    /// <summary>How much is kept, and when the rest is removed.</summary>
    public SourceRetentionOptions Retention { get; set; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Enabled && Namespace.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-'))
        {
            yield return new ValidationResult($"Kubernetes:Namespace is '{Namespace}'. Write one namespace's name: lower-case letters, digits and dashes.");
        }

        foreach (var (name, pattern) in Include.Select(p => (nameof(Include), p)).Concat(Exclude.Select(p => (nameof(Exclude), p))))
        {
            if (pattern.Length == 0 || pattern.Any(c => char.IsWhiteSpace(c) || char.IsAsciiLetterUpper(c) || c == '/'))
            {
                yield return new ValidationResult($"Kubernetes:{name} has '{pattern}'. Write a kind's plural with its group, as kubectl api-resources shows it: configmaps, deployments.apps, *.cert-manager.io.");
            }
        }
    }
}
