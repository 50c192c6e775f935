"""Code lists: ISO 3166-1 alpha-2 countries and ISO 4217 currencies."""

from __future__ import annotations


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: ISO 3166-1 alpha-2, with XI (Northern Ireland in EU VAT numbers) and XK (Kosovo in customs practice).
COUNTRIES = _codes(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR
    IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
    ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI XK YE YT ZA ZM ZW
    """
)

#: ISO 4217 alphabetic codes; CNH as markets quote it; and, in the last lines, codes withdrawn since 1999, which
#: histories of rates still name.
CURRENCIES = _codes(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CLF CLP CNH CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD
    KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
    NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
    SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU
    XCD XCG XDR XOF XPD XPF XPT YER ZAR ZMW ZWG
    ATS BEF BYR CYP DEM EEK ESP FIM FRF GRD IEP ITL LTL LUF LVL MRO MTL NLG PTE ROL SIT SKK SLL STD TRL VEF ZMK ZWL
    """
)

#: What people write instead.
MEANT = {"UK": "GB", "EL": "GR", "RMB": "CNY", "NTD": "TWD", "EURO": "EUR", "USA": "US", "GER": "DE"}

#: Countries that exports spell out, in English, in their own language and in Chinese.
_SPELT = """
AT Austria Österreich 奥地利 · AU Australia 澳大利亚 · BE Belgium België Belgique 比利时 · BG Bulgaria България 保加利亚 · BR Brazil Brasil 巴西
CA Canada 加拿大 · CH Switzerland Schweiz Suisse Svizzera 瑞士 · CN China 中国 · CY Cyprus Κύπρος 塞浦路斯 · CZ Czechia Czech_Republic Česko 捷克
DE Germany Deutschland 德国 · DK Denmark Danmark 丹麦 · EE Estonia Eesti 爱沙尼亚 · ES Spain España 西班牙 · FI Finland Suomi 芬兰 · FR France 法国
GB United_Kingdom Great_Britain England Scotland Wales Northern_Ireland 英国 · GR Greece Ελλάδα 希腊 · HK Hong_Kong 香港 · HR Croatia Hrvatska 克罗地亚
HU Hungary Magyarország 匈牙利 · IE Ireland Éire 爱尔兰 · IN India 印度 · IT Italy Italia 意大利 · JP Japan 日本 · KR South_Korea Korea 韩国
LT Lithuania Lietuva 立陶宛 · LU Luxembourg Luxemburg 卢森堡 · LV Latvia Latvija 拉脱维亚 · MT Malta 马耳他 · MX Mexico México 墨西哥
NL Netherlands The_Netherlands Holland Nederland 荷兰 · NO Norway Norge 挪威 · NZ New_Zealand 新西兰 · PL Poland Polska 波兰 · PT Portugal 葡萄牙
RO Romania România 罗马尼亚 · SE Sweden Sverige 瑞典 · SG Singapore 新加坡 · SI Slovenia Slovenija 斯洛文尼亚 · SK Slovakia Slovensko 斯洛伐克
TW Taiwan 台湾 · US United_States United_States_of_America 美国
"""
_ENTRIES = (entry.split() for line in _SPELT.strip().splitlines() for entry in line.split(" · "))
MEANT |= {name.replace("_", " ").upper(): code for code, *names in _ENTRIES for name in names}
